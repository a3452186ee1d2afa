//! Answers that are pages, for browsers.

use anyhow::Result;
use reqwest::{Response, StatusCode};

use crate::edge::Edge;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_page_arrives_as_it_is() -> Result<()> {
    let edge = Edge::start().await?;
    let answer = edge.get("/v1/statusPages/7?key=right").send().await?;
    assert_eq!((answer.status(), header(&answer, "content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(header(&answer, "content-security-policy"), "default-src 'self'");
    assert_eq!(answer.text().await?, "<!DOCTYPE html><p>{\"ü\"}</p>");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_a_page_that_tells_nothing() -> Result<()> {
    let edge = Edge::with(|config| config.timeouts.request_seconds = 1).await?;
    for (key, status, title) in [
        ("wrong", 404, "Not found"),
        ("away", 503, "Not to be seen right now"),
        ("", 501, "Not to be seen right now"),
        ("broken", 500, "Not to be seen right now"),
        ("hang", 504, "Not to be seen right now"),
    ] {
        let answer = edge.get(&format!("/v1/statusPages/7?key={key}")).send().await?;
        assert_eq!(answer.status(), status, "{key}");
        assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8", "{key}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{key}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{key}");
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"), "{key}");
        let length = answer.content_length();
        let page = answer.text().await?;
        assert_eq!(length, Some(page.len() as u64), "{key}");
        assert!(page.contains("lang=\"en\"") && page.contains(&format!("<h1>{title}</h1>")), "{page}");
        assert_eq!(page.contains("http-equiv=\"refresh\""), status != 404, "{page}");
        for inside in ["PAYMENT_NOT_FOUND", "database", "payment", "defect", "request"] {
            assert!(!page.contains(inside), "{inside} in {page}");
        }
    }
    Ok(())
}
