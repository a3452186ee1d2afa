//! Requests that one address begins and does not finish. `staymesh-faults attack` is the long form.

use staymesh_load::{
    Tally,
    attack::{Attack, FORMS, Gateways, Size},
};
use staymesh_testkit::TestMesh;

/// Highest accepted ratio of the 99th percentiles of the others' latency with and without the attack. The machine also runs
/// other tests, which disturb both alike.
const RATIO: f64 = 5.0;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_unfinished_requests_of_one_address_in_each_form_do_not_affect_others() {
    let mesh = TestMesh::shared().await.expect("the mesh starts");
    let gateways = Gateways { public: mesh.public_url().to_owned(), internal: mesh.internal_url().to_owned() };
    let size = Size { held: 2000, rate: 140.0, calls: 56 };
    let attack = Attack::new(gateways, size).expect("clients");
    attack.warm_up().await.expect("calls");
    let (mut quiet, mut attacked) = (Tally::new().expect("a tally"), Tally::new().expect("a tally"));
    for form in FORMS {
        let turn = attack.turn(form).await.expect(form.name);
        assert!(turn.attacked.errors.is_empty(), "{}: {:?}; {:?}", form.name, turn.attacked.errors, turn.ended);
        assert_eq!(turn.quiet.error_count(), 0, "before {}: {:?}", form.name, turn.quiet.errors);
        quiet.append(turn.quiet).expect("equal bounds");
        attacked.append(turn.attacked).expect("equal bounds");
    }
    let (before, during) = (quiet.quantile_ms(0.99), attacked.quantile_ms(0.99));
    println!("p99 {before:.1} ms, {during:.1} ms while 2,000 requests are held open");
    assert!(during <= RATIO * before, "p99 {before:.1} ms became {during:.1} ms");
}
