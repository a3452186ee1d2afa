//! How every mail begins.

use staymesh_domain::Language;

/// The first line of a mail: a greeting without a name, because names are personal data that a mail need not repeat.
pub const fn greeting(language: Language) -> &'static str {
    match language {
        Language::English => "Hello,",
        Language::Portuguese => "Olá,",
        Language::German => "Guten Tag,",
        Language::Spanish => "Hola:",
        Language::French => "Bonjour,",
    }
}
