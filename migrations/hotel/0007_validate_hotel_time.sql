alter table hotel validate constraint hotel_check_in_time_form;
alter table hotel validate constraint hotel_day_rollover_form;
