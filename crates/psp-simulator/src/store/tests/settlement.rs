use rstest::rstest;

use super::*;

#[test]
fn settlement_lists_movements_of_its_time_range_in_order() {
    let mut store = store();
    let id = paid(&mut store, "k");
    let late = store.create("late", order(100), NO_SWITCHES, NOW).unwrap().id;
    store.create("unpaid", order(5), NO_SWITCHES, NOW).unwrap();
    store.end(&late, SessionStatus::Paid, NOW + 9).unwrap();
    let back = RefundOrder { session: id.clone(), amount_minor: 60, reference: Some("rf-1".into()) };
    let back = store.refund("r", back, NOW + 5).unwrap().value.1.id;
    let out = store.transfer("t", transfer("hotel-1"), NOW + 3).unwrap().value.id;
    store.transfer("u", transfer("fail"), NOW + 3).unwrap();
    let rows: Vec<_> = store
        .settlement(&(NOW..NOW + 9))
        .into_iter()
        .map(|line| (line.id, line.kind, line.reference, line.session, line.amount_minor, line.created))
        .collect();
    assert_eq!(
        rows,
        [
            (id.clone(), "charge", "r-1".into(), id.clone(), 100, NOW),
            (out, "transfer", "po-1".into(), String::new(), 70, NOW + 3),
            (back, "refund", "rf-1".into(), id, 60, NOW + 5),
        ]
    );
    assert_eq!(store.settlement(&(NOW + 9..NOW + 10)).iter().map(|line| &line.id).collect::<Vec<_>>(), [&late]);
}

#[rstest]
#[case(Mismatch::Missing, &[])]
#[case(Mismatch::Amount, &[(true, 101, "EUR")])]
#[case(Mismatch::Currency, &[(true, 100, "USD")])]
#[case(Mismatch::Duplicate, &[(true, 100, "EUR"), (true, 100, "EUR")])]
fn settlement_contains_injected_faults(#[case] kind: Mismatch, #[case] expected: &[(bool, i64, &str)]) {
    let mut store = store();
    let (id, other) = (paid(&mut store, "k"), paid(&mut store, "other"));
    store.add_settlement_faults(vec![fault(kind, &id)]).unwrap();
    let lines = store.settlement(&(NOW..NOW + 1));
    let (touched, rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.id == id);
    let touched: Vec<_> =
        touched.iter().map(|line| (line.session == id, line.amount_minor, line.currency.as_str())).collect();
    assert_eq!(touched, expected);
    assert_eq!(rest.iter().map(|line| (&line.id, line.amount_minor)).collect::<Vec<_>>(), [(&other, 100)]);
    assert_eq!(store.get(&id).unwrap().status, SessionStatus::Paid, "the file alone is wrong");
}

#[test]
fn settlement_status_fault_adds_line_without_movement() {
    let mut store = store();
    let id = paid(&mut store, "k");
    let failed = store.create("f", order(5), NO_SWITCHES, NOW).unwrap().id;
    store.end(&failed, SessionStatus::Failed, NOW).unwrap();
    let unsent = store.transfer("t", transfer("fail"), NOW).unwrap().value.id;
    let all = [(Mismatch::Extra, &id), (Mismatch::Status, &failed), (Mismatch::Status, &unsent)];
    store.add_settlement_faults(all.map(|(kind, id)| fault(kind, id)).to_vec()).unwrap();
    let lines = store.settlement(&(NOW..NOW + 1));
    assert_eq!(lines.len(), 4);
    let of = |wanted: &str| lines.iter().find(|line| line.id == wanted).unwrap();
    assert_eq!((of(&failed).kind, of(&failed).amount_minor, of(&unsent).kind), ("charge", 5, "transfer"));
    let extra = lines.iter().find(|line| ![&id, &failed, &unsent].contains(&&line.id)).unwrap();
    assert_eq!((extra.kind, extra.amount_minor, extra.id == extra.session), ("charge", 100, true));
    assert!(store.get(&extra.id).is_err() && extra.id.starts_with("cs_") && extra.reference.len() == 36);

    for (kind, wrong, refusal) in [
        (Mismatch::Missing, "cs_x", "not_found"),
        (Mismatch::Amount, failed.as_str(), "id"),
        (Mismatch::Status, id.as_str(), "kind"),
    ] {
        let refused = store.add_settlement_faults(vec![fault(Mismatch::Missing, id.as_str()), fault(kind, wrong)]);
        match refused.unwrap_err() {
            Refusal::NotFound(_) => assert_eq!(refusal, "not_found"),
            Refusal::Invalid { field, .. } => assert_eq!(refusal, field),
            other => panic!("{other}"),
        }
    }
    assert_eq!(store.settlement(&(NOW..NOW + 1)), lines, "nothing of what was refused counts");
}
