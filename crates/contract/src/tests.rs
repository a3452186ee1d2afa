//! The contract as a whole: which changes are audited, what methods return, and what the documentation says of gateways.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor, MethodDescriptor, Value};
use staymesh_api::options::v1::Role;

use crate::{
    Contract,
    access::{AccessTable, Rule},
};

/// Methods whose changes write audit records (`staymesh_store::audit`). Each is tested in its service's crate.
const AUDITED: [&str; 43] = [
    "hotel.v1.HotelAdminService/CreateHotel",
    "hotel.v1.HotelAdminService/CreateRoom",
    "hotel.v1.HotelAdminService/CreateRoomType",
    "hotel.v1.HotelAdminService/DeleteHotel",
    "hotel.v1.HotelAdminService/DeleteRoom",
    "hotel.v1.HotelAdminService/DeleteRoomType",
    "hotel.v1.HotelAdminService/UpdateHotel",
    "hotel.v1.HotelAdminService/UpdateRoom",
    "hotel.v1.HotelAdminService/UpdateRoomType",
    "identity.v1.IdentityAdminService/CreateClient",
    "identity.v1.IdentityAdminService/DeleteClient",
    "identity.v1.IdentityAdminService/RevokeClientSecret",
    "identity.v1.IdentityAdminService/RotateClientSecret",
    "identity.v1.IdentityAdminService/SetUserRole",
    "payment.v1.FinanceService/AssignCase",
    "payment.v1.FinanceService/RecordPartnerPayment",
    "payment.v1.FinanceService/ReplayCase",
    "payment.v1.FinanceService/ResolveCase",
    "payment.v1.FinanceService/SetPartnerCreditLimit",
    "payment.v1.PaymentAdminService/RecordDeskPayment",
    "payment.v1.PaymentAdminService/RecordDeskRefund",
    "payment.v1.PaymentAdminService/RefundPayment",
    "payment.v1.PaymentAdminService/SetPayoutDestination",
    "rate.v1.RateAdminService/SetNightlyPrices",
    "rate.v1.RateAdminService/SetRoomRate",
    "rate.v1.RateAdminService/SetTaxes",
    "reservation.v1.FrontDeskService/AssignRoom",
    "reservation.v1.FrontDeskService/AutoAssignRooms",
    "reservation.v1.FrontDeskService/CheckIn",
    "reservation.v1.FrontDeskService/CheckOut",
    "reservation.v1.FrontDeskService/CreateReservationNote",
    "reservation.v1.FrontDeskService/UnassignRoom",
    "reservation.v1.FrontDeskService/UndoCheckIn",
    "reservation.v1.InventoryAdminService/BulkSetInventory",
    "reservation.v1.InventoryAdminService/CancelGroupBlock",
    "reservation.v1.InventoryAdminService/ConfirmGroupBlock",
    "reservation.v1.InventoryAdminService/CreateGroupBlock",
    "reservation.v1.InventoryAdminService/CreateOutOfOrder",
    "reservation.v1.InventoryAdminService/EndOutOfOrder",
    "reservation.v1.InventoryAdminService/ResizeGroupBlock",
    "reservation.v1.InventoryAdminService/SetInventory",
    "reservation.v1.InventoryAdminService/SetStopSell",
    "reservation.v1.ReservationAdminService/MarkNoShow",
];

/// Methods for staff, administrators and services that change data of others with an audit record, and their own without.
const AUDITED_FOR_OTHERS: [&str; 6] = [
    "reservation.v1.ReservationFlowService/RetireInventory",
    "reservation.v1.ReservationService/ApplyChange",
    "reservation.v1.ReservationService/CancelReservation",
    "reservation.v1.ReservationService/CancelRooms",
    "reservation.v1.ReservationService/CreateReservation",
    "reservation.v1.ReservationService/UpdateRoomGuests",
];

/// Methods without audit records, each with its reason.
const EXEMPT: [(&str, &str); 18] = [
    ("identity.v1.AuthService/Logout", "a caller's own login"),
    ("identity.v1.AuthService/LogoutEverywhere", "a caller's own logins"),
    ("identity.v1.MailRecipientService/ResolveMailRecipient", "a key for a mail to its own guest"),
    ("identity.v1.UserService/ChangePassword", "a caller's own account"),
    ("identity.v1.UserService/RequestEmailConfirmation", "a caller's own account"),
    ("payment.v1.PaymentFlowService/AmendPartnerSale", "an event of the flow; the ledger has it"),
    ("payment.v1.PaymentFlowService/RecordPartnerSale", "an event of the flow; the ledger has it"),
    ("payment.v1.PaymentFlowService/SettleCancellation", "an event of the flow; the ledger has it"),
    ("payment.v1.PaymentFlowService/SettleChange", "an event of the flow; the ledger has it"),
    ("payment.v1.PaymentService/CreatePayment", "a page that asks for money; the payment itself is recorded"),
    ("rate.v1.PricingService/PriceStay", "changes nothing"),
    ("reservation.v1.ReservationFlowService/ConfirmPayment", "an event of the flow; the reservation's history has it"),
    ("reservation.v1.ReservationFlowService/ConfirmRefund", "an event of the flow; the reservation's history has it"),
    ("reservation.v1.ReservationFlowService/ForgetOwner", "an account that its owner deleted"),
    ("reservation.v1.ReservationFlowService/RejectPayment", "an event of the flow; the reservation's history has it"),
    ("reservation.v1.ReservationService/CheckOffers", "changes nothing"),
    ("reservation.v1.ReservationService/PrepareReservation", "changes nothing"),
    ("reservation.v1.ReservationService/QuoteChange", "changes nothing"),
];

/// Answers with one message and nothing else that are no wrapper of a resource, each with its reason. `docs/API-DESIGN.md`,
/// "Conventions", has the rule.
const ONE_MESSAGE: [(&str, &str); 0] = [];

/// Verbs of methods that only read.
const READS: [&str; 3] = ["Get", "List", "Find"];

#[test]
fn every_mutating_method_for_staff_admins_and_services_is_audited_or_exempt() {
    let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let mut expected: Vec<&str> = AUDITED.into_iter().chain(AUDITED_FOR_OTHERS).collect();
    expected.extend(EXEMPT.iter().map(|(method, _)| *method));
    let acts_for_others = |rule: &Rule| {
        matches!(rule, Rule::Roles(_))
            && [Role::Staff, Role::Admin, Role::Service].iter().any(|role| rule.allows(*role))
    };
    let mut found: Vec<&str> = access
        .iter()
        .filter(|(_, rule)| acts_for_others(rule))
        .filter_map(|(path, _)| path.strip_prefix("/staymesh."))
        .filter(|path| {
            let method = path.split_once('/').map_or("", |(_, method)| method);
            !READS.iter().any(|verb| method.starts_with(verb))
        })
        .collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "add the method to AUDITED and record its change, or to EXEMPT with a reason");
}

#[test]
fn every_service_with_audited_methods_lists_its_records_to_admins_only() {
    let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let lists: Vec<_> = access.iter().filter(|(path, _)| path.ends_with("/ListAuditRecords")).collect();
    assert_eq!(lists.len(), 5);
    for (path, rule) in lists {
        assert_eq!(rule, &Rule::Roles(vec![Role::Admin]), "{path}");
    }
}

#[test]
fn documented_gateways_are_those_of_the_contract() {
    let page = include_str!("../../../docs/API-DESIGN.md");
    let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    for service in contract.exposed_services() {
        let row = format!("| `{}` |", service.gateway.as_str_name());
        let listed = page.lines().find(|line| line.starts_with(&row)).expect("a row for the gateway");
        let name = service.name.rsplit('.').next().unwrap_or_default();
        assert!(listed.contains(&format!("`{name}`")), "docs/API-DESIGN.md lacks {name} in the row of its gateway");
    }
}

#[test]
fn roles_of_access_rules_are_the_public_roles_and_are_in_no_message() {
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let values = |name| {
        let roles = pool.get_enum_by_name(name).expect("the enum");
        roles.values().map(|value| (value.name().to_owned(), value.number())).collect::<Vec<_>>()
    };
    assert_eq!(values("staymesh.options.v1.Role"), values("staymesh.identity.v1.Role"));
    for message in pool.all_messages().filter(|message| message.full_name() != "staymesh.options.v1.Access") {
        for field in message.fields() {
            let internal = matches!(field.kind(), Kind::Enum(of) if of.full_name() == "staymesh.options.v1.Role");
            assert!(!internal, "{} has the role of access rules", field.full_name());
        }
    }
}

/// Lists without pages, each with its reason.
const WITHOUT_PAGES: [(&str, &str); 1] =
    [("identity.v1.RevocationService/ListRevocations", "services of the mesh replace the whole set within a lease")];

#[test]
fn every_list_method_has_pages() {
    let (mut with, mut without) = (0, Vec::new());
    for method in methods() {
        let path = format!("{}/{}", method.parent_service().full_name(), method.name());
        let Some(path) = path.strip_prefix("staymesh.").filter(|_| method.name().starts_with("List")) else { continue };
        let has = |message: &MessageDescriptor, name, kind| {
            message.get_field_by_name(name).is_some_and(|field| field.kind() == kind)
        };
        let (input, output) = (method.input(), method.output());
        let paged = has(&input, "page_size", Kind::Int32)
            && has(&input, "page_token", Kind::String)
            && has(&output, "next_page_token", Kind::String);
        if paged { with += 1 } else { without.push(path.to_owned()) }
    }
    assert!(with > 15, "only {with} lists");
    assert_eq!(without, WITHOUT_PAGES.map(|(path, _)| path), "a list without pages cannot be given any later");
}

/// Names between back-quotes that are written as methods are: `CreateHotel`.
fn methods_named(text: &str) -> BTreeSet<&str> {
    let is_method = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.contains(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphabetic())
    };
    text.split('`').skip(1).step_by(2).filter(is_method).collect()
}

#[test]
fn documented_idempotency_names_every_mutating_method_and_no_other() {
    let page = include_str!("../../../docs/API-DESIGN.md");
    let (_, section) = page.split_once("\n## Idempotency\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    // Of a row, the first cell is the methods that it is about.
    let first_cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let mails = section.lines().skip_while(|line| !line.starts_with("Account mails:"));
    let documented: BTreeSet<_> = first_cells.chain(mails).flat_map(methods_named).collect();

    let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let exposed: BTreeSet<_> = contract.exposed_services().map(|service| service.name.as_str()).collect();
    let (mut required, mut allowed) = (BTreeSet::new(), BTreeSet::new());
    for (path, _) in access.iter() {
        let (service, method) = path.trim_start_matches('/').split_once('/').expect("a path of a method");
        if READS.iter().any(|verb| method.starts_with(verb)) {
            continue;
        }
        allowed.insert(method);
        // The last row is about the services that no gateway exposes.
        if exposed.contains(service) {
            required.insert(method);
        }
    }
    let missing: Vec<_> = required.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&allowed).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}; unknown: {unknown:?}");
}

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
    let ours = pool.services().filter(|service| service.package_name().starts_with("staymesh."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Whether a message consists of one other message: `{"hotel": {..}}`. A list is no wrapper: its message can grow a page
/// token.
fn wraps(message: &MessageDescriptor) -> bool {
    let fields: Vec<_> = message.fields().collect();
    matches!(fields.as_slice(), [field] if !field.is_list() && !field.is_map() && matches!(field.kind(), Kind::Message(_)))
}

#[test]
fn methods_return_the_resource_and_no_wrapper_of_it() {
    let mut found: Vec<_> = methods()
        .iter()
        .map(MethodDescriptor::output)
        .filter(|output| output.package_name().starts_with("staymesh.") && wraps(output))
        .map(|output| output.full_name().to_owned())
        .collect();
    found.sort_unstable();
    assert_eq!(found, ONE_MESSAGE.map(|(name, _)| name), "return the message itself (AIP-131, 133, 134)");
}

#[test]
fn no_rest_form_takes_its_answer_out_of_a_field() {
    let mut forms = 0;
    for method in methods() {
        let options = method.options();
        let http = method.parent_pool().get_extension_by_name("google.api.http").expect("the option is imported");
        let Some(rule) = options.get_extension(&http).as_message().filter(|_| options.has_extension(&http)).cloned()
        else {
            continue;
        };
        let more = rule.get_field_by_name("additional_bindings").expect("HttpRule has it").into_owned();
        let more = more.as_list().into_iter().flatten().filter_map(Value::as_message).cloned();
        for rule in more.chain([rule]) {
            forms += 1;
            assert!(!rule.has_field_by_name("response_body"), "Envoy cannot do it: {}", method.full_name());
        }
    }
    assert!(forms > 50, "{forms} forms");
}
