-- Every row has the default of the column, which is within the bounds.
alter table room_type_inventory validate constraint room_type_inventory_out_of_order_in_bounds;
