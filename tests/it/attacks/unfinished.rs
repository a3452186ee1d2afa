//! Requests that one address begins and does not finish. `staymesh-faults attack` is the long form.

use staymesh_load::attack::{Attack, FORMS, Gateways, Size};
use staymesh_testkit::TestMesh;

/// Highest accepted ratio of the 99th percentiles of the others' latency with and without the attack, for each form. A turn
/// takes less than a second, and other tests start whole meshes meanwhile.
const RATIO: f64 = 5.0;
/// Most turns of a form, of which the least disturbed one counts. Refused calls are accepted in none.
const TURNS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_unfinished_requests_of_one_address_in_each_form_do_not_affect_others() {
    let mesh = TestMesh::shared().await.expect("the mesh starts");
    let gateways = Gateways { public: mesh.public_url().to_owned(), internal: mesh.internal_url().to_owned() };
    let size = Size { held: 2000, rate: 140.0, calls: 56 };
    let attack = Attack::new(gateways, size).expect("clients");
    attack.warm_up().await.expect("calls");
    for form in FORMS {
        let mut least = f64::INFINITY;
        for _ in 0..TURNS {
            let turn = attack.turn(form).await.expect(form.name);
            assert!(turn.attacked.errors.is_empty(), "{}: {:?}; {:?}", form.name, turn.attacked.errors, turn.ended);
            assert_eq!(turn.quiet.error_count(), 0, "before {}: {:?}", form.name, turn.quiet.errors);
            least = least.min(turn.attacked.quantile_ms(0.99) / turn.quiet.quantile_ms(0.99));
            if least <= RATIO {
                break;
            }
        }
        println!("{}: p99 is {least:.1} times that without 2,000 open requests", form.name);
        assert!(least <= RATIO, "{}: p99 is {least:.1} times that without the attack", form.name);
    }
}
