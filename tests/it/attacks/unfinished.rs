//! Requests that one address begins and does not finish. `staymesh-faults attack` is the long form.

use staymesh_load::attack::{Attack, FORMS, Gateways, Size};
use staymesh_testkit::TestMesh;

/// Highest accepted median, over the forms, of the ratio of the 99th percentiles of the others' latency with and without the
/// attack, measured in turns. A turn takes less than a second, and other tests start whole meshes meanwhile, which slows
/// down single turns; the percentile of all calls together would be that of the slowest turn. A form that takes places from
/// others shows as refused calls, and none is accepted.
const RATIO: f64 = 5.0;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_unfinished_requests_of_one_address_in_each_form_do_not_affect_others() {
    let mesh = TestMesh::shared().await.expect("the mesh starts");
    let gateways = Gateways { public: mesh.public_url().to_owned(), internal: mesh.internal_url().to_owned() };
    let size = Size { held: 2000, rate: 140.0, calls: 56 };
    let attack = Attack::new(gateways, size).expect("clients");
    attack.warm_up().await.expect("calls");
    let mut ratios = Vec::new();
    for form in FORMS {
        let turn = attack.turn(form).await.expect(form.name);
        assert!(turn.attacked.errors.is_empty(), "{}: {:?}; {:?}", form.name, turn.attacked.errors, turn.ended);
        assert_eq!(turn.quiet.error_count(), 0, "before {}: {:?}", form.name, turn.quiet.errors);
        ratios.push(turn.attacked.quantile_ms(0.99) / turn.quiet.quantile_ms(0.99));
    }
    ratios.sort_by(f64::total_cmp);
    println!("p99 while 2,000 requests are held open, as a multiple of p99 without them, by form: {ratios:.1?}");
    assert!(ratios[ratios.len() / 2] <= RATIO, "{ratios:.1?}");
}
