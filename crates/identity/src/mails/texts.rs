//! Texts of mails to owners of accounts, in every language.

use staymesh_domain::Language;
use staymesh_mail::greeting;

/// Subject and body of a mail.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

/// The parts of a text in one language: greeting, subject, what happened, and what to do or know.
struct Parts {
    subject: &'static str,
    first: &'static str,
    last: &'static str,
}

impl Text {
    /// A link that confirms an address, valid for 48 hours.
    pub(super) fn confirm_email(language: Language, link: &str) -> Self {
        let parts = match language {
            Language::English => Parts {
                subject: "Please confirm your e-mail address",
                first: "To confirm that this e-mail address is yours, open this link within 48 hours:",
                last: "If you have not created an account with us, ignore this mail.",
            },
            Language::Portuguese => Parts {
                subject: "Confirme o seu endereço de e-mail",
                first: "Para confirmar que este endereço de e-mail é seu, abra esta ligação no prazo de 48 horas:",
                last: "Se não criou uma conta connosco, ignore esta mensagem.",
            },
            Language::German => Parts {
                subject: "Bitte bestätigen Sie Ihre E-Mail-Adresse",
                first: "Öffnen Sie innerhalb von 48 Stunden diesen Link, um zu bestätigen, dass diese E-Mail-Adresse Ihnen gehört:",
                last: "Wenn Sie bei uns kein Konto angelegt haben, ignorieren Sie diese Nachricht.",
            },
            Language::Spanish => Parts {
                subject: "Confirme su dirección de correo electrónico",
                first: "Para confirmar que esta dirección de correo es suya, abra este enlace en un plazo de 48 horas:",
                last: "Si no ha creado una cuenta con nosotros, ignore este mensaje.",
            },
            Language::French => Parts {
                subject: "Confirmez votre adresse e-mail",
                first: "Pour confirmer que cette adresse e-mail est la vôtre, ouvrez ce lien dans les 48 heures :",
                last: "Si vous n'avez pas créé de compte chez nous, ignorez ce message.",
            },
        };
        Self::with_link(language, &parts, link)
    }

    /// A link that resets a password, valid for 30 minutes.
    pub(super) fn reset_password(language: Language, link: &str) -> Self {
        let parts = match language {
            Language::English => Parts {
                subject: "Choose a new password",
                first: "To choose a new password, open this link within 30 minutes. It works once:",
                last: "If you have not asked for this, ignore this mail. Your password stays as it is.",
            },
            Language::Portuguese => Parts {
                subject: "Escolha uma nova palavra-passe",
                first: "Para escolher uma nova palavra-passe, abra esta ligação no prazo de 30 minutos. Só funciona uma vez:",
                last: "Se não fez este pedido, ignore esta mensagem. A sua palavra-passe não é alterada.",
            },
            Language::German => Parts {
                subject: "Wählen Sie ein neues Passwort",
                first: "Öffnen Sie innerhalb von 30 Minuten diesen Link, um ein neues Passwort zu wählen. Er gilt einmal:",
                last: "Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht. Ihr Passwort bleibt, wie es ist.",
            },
            Language::Spanish => Parts {
                subject: "Elija una contraseña nueva",
                first: "Para elegir una contraseña nueva, abra este enlace en un plazo de 30 minutos. Solo funciona una vez:",
                last: "Si no lo ha solicitado, ignore este mensaje. Su contraseña no cambia.",
            },
            Language::French => Parts {
                subject: "Choisissez un nouveau mot de passe",
                first: "Pour choisir un nouveau mot de passe, ouvrez ce lien dans les 30 minutes. Il ne fonctionne qu'une fois :",
                last: "Si vous n'avez rien demandé, ignorez ce message. Votre mot de passe reste inchangé.",
            },
        };
        Self::with_link(language, &parts, link)
    }

    /// A notice after a change of the password.
    pub(super) fn password_changed(language: Language) -> Self {
        let parts = match language {
            Language::English => Parts {
                subject: "Your password was changed",
                first: "The password of your account was changed, and you were logged out on all devices.",
                last: "If this was not you, choose a new password at once with \"Forgot password\".",
            },
            Language::Portuguese => Parts {
                subject: "A sua palavra-passe foi alterada",
                first: "A palavra-passe da sua conta foi alterada e a sua sessão foi terminada em todos os dispositivos.",
                last: "Se não foi você, escolha já uma nova palavra-passe em «Esqueci-me da palavra-passe».",
            },
            Language::German => Parts {
                subject: "Ihr Passwort wurde geändert",
                first: "Das Passwort Ihres Kontos wurde geändert, und Sie wurden auf allen Geräten abgemeldet.",
                last: "Wenn Sie das nicht waren, wählen Sie sofort über „Passwort vergessen“ ein neues Passwort.",
            },
            Language::Spanish => Parts {
                subject: "Se ha cambiado su contraseña",
                first: "Se ha cambiado la contraseña de su cuenta y se ha cerrado la sesión en todos los dispositivos.",
                last: "Si no ha sido usted, elija enseguida una contraseña nueva en «He olvidado mi contraseña».",
            },
            Language::French => Parts {
                subject: "Votre mot de passe a été modifié",
                first: "Le mot de passe de votre compte a été modifié et vous avez été déconnecté de tous vos appareils.",
                last: "Si ce n'était pas vous, choisissez sans attendre un nouveau mot de passe avec « Mot de passe oublié ».",
            },
        };
        Self::without_link(language, &parts)
    }

    /// A notice after the deletion of an account.
    pub(super) fn account_deleted(language: Language) -> Self {
        let parts = match language {
            Language::English => Parts {
                subject: "Your account was deleted",
                first: "Your account was deleted, as you asked.",
                last: "Your bookings stay valid. We erase your contact data in them after each stay; what the law obliges us to keep, we keep as long as it says.",
            },
            Language::Portuguese => Parts {
                subject: "A sua conta foi eliminada",
                first: "A sua conta foi eliminada, como pediu.",
                last: "As suas reservas continuam válidas. Apagamos os seus dados de contacto depois de cada estadia; o que a lei nos obriga a conservar, conservamos durante o prazo legal.",
            },
            Language::German => Parts {
                subject: "Ihr Konto wurde gelöscht",
                first: "Ihr Konto wurde auf Ihren Wunsch gelöscht.",
                last: "Ihre Buchungen bleiben gültig. Ihre Kontaktdaten darin löschen wir nach jedem Aufenthalt; was wir gesetzlich aufbewahren müssen, bewahren wir so lange auf, wie es vorgeschrieben ist.",
            },
            Language::Spanish => Parts {
                subject: "Se ha eliminado su cuenta",
                first: "Se ha eliminado su cuenta, tal como pidió.",
                last: "Sus reservas siguen siendo válidas. Borramos sus datos de contacto después de cada estancia; lo que la ley nos obliga a conservar, lo conservamos durante el plazo legal.",
            },
            Language::French => Parts {
                subject: "Votre compte a été supprimé",
                first: "Votre compte a été supprimé, comme vous l'avez demandé.",
                last: "Vos réservations restent valables. Nous effaçons vos coordonnées après chaque séjour ; ce que la loi nous oblige à conserver, nous le conservons pendant la durée légale.",
            },
        };
        Self::without_link(language, &parts)
    }

    fn with_link(language: Language, parts: &Parts, link: &str) -> Self {
        let body = format!("{}\n\n{}\n\n{link}\n\n{}\n", greeting(language), parts.first, parts.last);
        Self { subject: parts.subject.to_owned(), body }
    }

    fn without_link(language: Language, parts: &Parts) -> Self {
        let body = format!("{}\n\n{}\n\n{}\n", greeting(language), parts.first, parts.last);
        Self { subject: parts.subject.to_owned(), body }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_text_differs_between_languages_and_has_its_link_on_a_line_of_its_own() {
        let link = "https://booking.example/account/confirm#token=x";
        let texts = |of: fn(Language, &str) -> Text| Language::ALL.map(|language| of(language, link));
        for all in [texts(Text::confirm_email), texts(Text::reset_password)] {
            assert!(all.iter().all(|text| text.body.lines().any(|line| line == link)));
            assert_eq!(all.iter().map(|text| &text.subject).collect::<HashSet<_>>().len(), 5);
        }
        for of in [Text::password_changed, Text::account_deleted] {
            let all = Language::ALL.map(of);
            assert_eq!(all.iter().map(|text| &text.subject).collect::<HashSet<_>>().len(), 5);
            assert!(all.iter().all(|text| !text.body.contains("http")));
        }
    }
}
