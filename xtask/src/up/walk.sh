  S={{PUBLIC}}
  get() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda v, k: v[int(k) if k.isdigit() else k], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }
  post() { curl -sS -X POST "$S$1" -H "authorization: Bearer $T" -H 'content-type: application/json' -d "$2"; }
  IN=$(date -d '+30 days' +%F); OUT=$(date -d '+33 days' +%F); MAIL=guest-$RANDOM$RANDOM@staymesh.example

  # sign up and log in
  post /v1/users '{"email":"'$MAIL'","password":"correct horse battery"}'
  T=$(post /v1/auth/login '{"email":"'$MAIL'","password":"correct horse battery"}' | get access_token)
  # find a hotel and ask what it offers
  H=$(curl -sS "$S/v1/hotels" | get hotels.0.hotel_id)
  curl -sS "$S/v1/hotels/$H/offers?check_in=$IN&check_out=$OUT&occupancies=2"
  R=$(curl -sS "$S/v1/hotels/$H/offers?check_in=$IN&check_out=$OUT&occupancies=2" | get offers.0.room_type_id)
  # the order form, and the booking
  FORM=$(post /v1/reservations:prepare '{"hotel_id":'$H',"check_in":"'$IN'","check_out":"'$OUT'","rooms":[{"room_type_id":'$R',"adults":2}]}')
  ID=$(echo "$FORM" | get reservation_id)
  post /v1/reservations '{"reservation_id":"'$ID'","offer_token":"'$(echo "$FORM" | get offer_token)'","primary_guest":{"full_name":"A guest","email":"'$MAIL'"}}'
  # pay: open the page in a browser and press Pay, or let curl do it
  PAYMENT=$(post /v1/payments '{"reservation_id":"'$ID'"}')
  PAGE=$(echo "$PAYMENT" | get checkout_url); echo "$PAGE"
  PAY=$(echo "$PAYMENT" | get payment_id)
  curl -sS "$S/v1/payments/$PAY/statusLink" -H "authorization: Bearer $T" | get url   # the guest's page: look at it before and after
  curl -sS -o /dev/null -X POST "$PAGE/pay"; sleep 2
  curl -sS "$S/v1/reservations/$ID" -H "authorization: Bearer $T" | get status      # RESERVATION_STATUS_PAID
  # cancel, and see the money go back
  curl -sS -X DELETE "$S/v1/reservations/$ID" -H "authorization: Bearer $T" | get status; sleep 3
  curl -sS "$S/v1/reservations/$ID" -H "authorization: Bearer $T" | get status      # RESERVATION_STATUS_REFUNDED
