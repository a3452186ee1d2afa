//! Error pages for guests, as tables for the Lua filter: their texts in each language, style and policy.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use staymesh_domain::Language;

/// The same look as the status page.
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b1f24;--back:#f3f5f7;--card:#fff;--line:#d8dde3;--go:#1257c9}\
    @media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--back:#14171a;--card:#1d2227;--line:#3a424b;--go:#7fb0ff}}\
    body{margin:0;padding:1rem;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
    main{max-width:32rem;margin:1rem auto;padding:1.5rem;background:var(--card);border:1px solid var(--line);\
    border-radius:12px;box-sizing:border-box}h1{margin:0 0 .5rem;font-size:1.4rem;line-height:1.25}\
    a{display:inline-block;padding:.3rem 0;color:var(--go)}a:focus-visible{outline:3px solid var(--go)}";

/// The texts of the two pages.
struct Texts {
    not_found: [&'static str; 2],
    unavailable: [&'static str; 2],
    again: &'static str,
}

const fn texts(language: Language) -> Texts {
    match language {
        Language::English => Texts {
            not_found: ["Not found", "There is no such page. Please check the link."],
            unavailable: [
                "Temporarily unavailable",
                "We cannot show the status of your booking right now. Your booking and what you have paid are not affected.",
            ],
            again: "Try again",
        },
        Language::Portuguese => Texts {
            not_found: ["Não encontrada", "Esta página não existe. Verifique a ligação."],
            unavailable: [
                "Temporariamente indisponível",
                "De momento não podemos mostrar o estado da sua reserva. A sua reserva e o que pagou não são afetados.",
            ],
            again: "Tentar de novo",
        },
        Language::German => Texts {
            not_found: ["Nicht gefunden", "Diese Seite gibt es nicht. Bitte prüfen Sie den Link."],
            unavailable: [
                "Vorübergehend nicht verfügbar",
                "Wir können den Stand Ihrer Buchung gerade nicht anzeigen. Ihre Buchung und Ihre Zahlung sind nicht betroffen.",
            ],
            again: "Noch einmal versuchen",
        },
        Language::Spanish => Texts {
            not_found: ["No encontrada", "Esta página no existe. Compruebe el enlace."],
            unavailable: [
                "No disponible por el momento",
                "Ahora mismo no podemos mostrar el estado de su reserva. Su reserva y lo que ha pagado no se ven afectados.",
            ],
            again: "Intentar de nuevo",
        },
        Language::French => Texts {
            not_found: ["Page introuvable", "Cette page n’existe pas. Vérifiez le lien."],
            unavailable: [
                "Momentanément indisponible",
                "Nous ne pouvons pas afficher l’état de votre réservation pour le moment. Votre réservation et vos paiements \
                 ne sont pas affectés.",
            ],
            again: "Réessayer",
        },
    }
}

/// The tables of the Lua script: `PAGE_TEXTS` by language, `PAGE_STYLE` and `PAGE_POLICY`.
pub(super) fn tables() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let mut script = format!(
        "local PAGE_STYLE = '{STYLE}'\n\
         local PAGE_POLICY = \"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'\"\nlocal PAGE_TEXTS = {{\n"
    );
    for language in Language::ALL {
        let Texts { not_found: [no_title, no_text], unavailable: [title, text], again } = texts(language);
        // Writing to a String cannot fail.
        let _ = writeln!(
            script,
            "  {} = {{not_found = {{'{no_title}', '{no_text}'}}, unavailable = {{'{title}', '{text}'}}, again = '{again}'}},",
            language.code()
        );
    }
    script.push_str("}\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_need_no_escape_in_lua_and_html() {
        for language in Language::ALL {
            let Texts { not_found, unavailable, again } = texts(language);
            for text in [not_found, unavailable].concat().into_iter().chain([again]) {
                assert!(!text.is_empty() && !text.contains(['\'', '\\', '%', '<', '>', '&', '"', '\n']), "{text}");
            }
        }
        assert!(!STYLE.contains(['\'', '\\', '%', '<', '\n']));
    }
}
