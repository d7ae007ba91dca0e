-- Orders that have lines in more than one file of the batch.
select order_id from staged_order_items group by order_id having min(file_index) <> max(file_index)
