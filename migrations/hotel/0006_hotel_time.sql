-- When rooms are ready on the day of arrival, and until when after midnight a business day lasts; both by the hotel's
-- clocks, hh:mm. The release before writes neither.
alter table hotel
    add column check_in_time text not null default '15:00',
    add column day_rollover  text not null default '00:00',
    add constraint hotel_check_in_time_form
        check (check_in_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$') not valid,
    add constraint hotel_day_rollover_form
        check (day_rollover ~ '^(0[0-5]:[0-5][0-9]|06:00)$') not valid;
