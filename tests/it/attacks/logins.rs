//! Guessed passwords, and large bodies of logins.

use futures::future::{join_all, select};
use serde_json::json;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::support::{Answer, Rest, World};

const PASSWORD: &str = "correct horse battery";
/// Failed logins of one address over all accounts in 15 minutes.
const SOURCE_LIMIT: usize = 100;

fn email() -> String {
    format!("{}@staymesh.example", Uuid::new_v4().simple())
}

async fn log_in(caller: &Rest, email: &str) -> Answer {
    caller.post("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_log_in_beside_80_connections_that_guess_and_the_guesses_are_limited_over_all_accounts() {
    const CONNECTIONS: usize = 80;
    const LOGINS: usize = 19;
    let world = World::shared().await;
    let attacker = world.public.at_address(69);
    let owner = world.public.at_address(70);
    let account = email();
    let sign_up = json!({ "email": account, "password": PASSWORD });
    owner.post("/v1/users", sign_up).await.ok();

    let (verified, throttled) = (Mutex::new(0), Mutex::new(0));
    let attack = join_all((0..CONNECTIONS).map(async |_| {
        loop {
            let answer = log_in(&attacker, &email()).await;
            match (answer.status.as_u16(), answer.reason()) {
                (401, Some("BAD_CREDENTIALS")) => {
                    let mut verified = verified.lock().await;
                    *verified += 1;
                    // Counters reset every 15 minutes, which may be just now.
                    assert!(*verified <= 2 * SOURCE_LIMIT, "{verified} guesses were verified");
                }
                (429, Some("LOGIN_THROTTLED")) => {
                    *throttled.lock().await += 1;
                    return;
                }
                (503, Some("OVERLOADED")) => {}
                other => panic!("{other:?}: {}", answer.body),
            }
        }
    }));
    let owners = Box::pin(async {
        for _ in 0..LOGINS {
            log_in(&owner, &account).await.ok();
        }
    });
    if let futures::future::Either::Left(((), rest)) = select(owners, Box::pin(attack)).await {
        rest.await;
    }
    assert_eq!(*throttled.lock().await, CONNECTIONS);
    log_in(&owner, &account).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn login_bodies_of_nearly_a_mebibyte_are_refused_while_others_log_in() {
    const BODIES: usize = 150;
    let world = World::shared().await;
    let attacker = world.public.at_address(71);
    // Other calls may have such a body: the general limit is 1 MiB.
    let body = json!({ "email": "x".repeat(1_000_000), "password": PASSWORD });
    let attack = join_all((0..BODIES).map(|_| attacker.post("/v1/auth/login", body.clone())));
    let other = world.public.at_address(72);
    let others = async {
        for _ in 0..20 {
            other.post("/v1/auth/login", json!({})).await.violating(&["email", "password"]);
        }
    };
    let (refused, ()) = tokio::join!(attack, others);
    for answer in refused {
        answer.refused(413, "REQUEST_TOO_LARGE");
    }
}
