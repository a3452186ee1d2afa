//! HTML pages through the edge.

use anyhow::Result;
use reqwest::{Response, StatusCode};

use crate::edge::Edge;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn page_passes_unchanged() -> Result<()> {
    let edge = Edge::start().await?;
    let answer = edge.get("/v1/statusPages/7?key=right").send().await?;
    assert_eq!((answer.status(), header(&answer, "content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(header(&answer, "content-security-policy"), "default-src 'self'");
    assert_eq!(answer.text().await?, "<!DOCTYPE html><p>{\"ü\"}</p>");
    Ok(())
}

#[tokio::test]
async fn page_error_is_a_page_without_the_cause() -> Result<()> {
    let edge = Edge::with(|config| config.timeouts.request_seconds = 1).await?;
    for (key, status, title) in [
        ("wrong", 404, "Not found"),
        ("unavailable", 503, "Temporarily unavailable"),
        ("", 501, "Temporarily unavailable"),
        ("broken", 500, "Temporarily unavailable"),
        ("hang", 504, "Temporarily unavailable"),
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
        assert!(!page.contains("http-equiv"), "a page that is read does not reload itself: {page}");
        assert_eq!(page.contains("Try again</a>"), status != 404, "{page}");
        for inside in ["PAYMENT_NOT_FOUND", "database", "payment", "defect", "request"] {
            assert!(!page.contains(inside), "{inside} in {page}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn page_ignores_parameters_that_others_add_to_its_link() -> Result<()> {
    let edge = Edge::start().await?;
    for query in [
        "key=right&fbclid=x",
        "utm_source=mail&key=right&gclid=%F0%9F",
        "reservation_id=8&key=right",
        "key=right&key=wrong",
        "key=right&language=de&language=fr",
        "&&=x&flag&key=right",
    ] {
        let answer = edge.get(&format!("/v1/statusPages/7?{query}")).send().await?;
        assert_eq!(
            (answer.status(), header(&answer, "content-type")),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{query}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn page_error_is_in_the_language_of_the_link_or_else_of_the_browser() -> Result<()> {
    let edge = Edge::start().await?;
    for (language, accepted, expected, title) in [
        ("", "", "en", "Not found"),
        ("", "xx, de-AT;q=0.8, fr;q=0.5", "de", "Nicht gefunden"),
        ("&language=es", "de", "es", "No encontrada"),
        ("&language=tlh", "fr", "fr", "Page introuvable"),
        ("", "pt-BR", "pt", "Não encontrada"),
    ] {
        let url = format!("/v1/statusPages/7?key=wrong&fbclid=x{language}");
        let answer = edge.get(&url).header("accept-language", accepted).send().await?;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-language")), (404, expected));
        assert!(header(&answer, "content-security-policy").contains("style-src 'sha256-"));
        let page = answer.text().await?;
        assert!(
            page.contains(&format!("lang=\"{expected}\"")) && page.contains(&format!("<h1>{title}</h1>")),
            "{page}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn page_error_of_the_edge_is_a_page() -> Result<()> {
    let edge = Edge::start().await?;
    let answer = edge.get("/v1/statusPages/7?key=%ff&fbclid=x").header("accept-language", "fr").send().await?;
    assert_eq!(answer.status(), 400);
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "content-language"), "fr");
    Ok(())
}
