-- All lines of the contested orders; those that stand from before have the index -1.
select current_order_items.order_id, current_order_items.product_id, current_order_items.line_id,
       current_order_items.quantity, current_order_items.unit_price_cents,
       current_order_items.line_amount_cents, current_order_items.added_to_total_cents,
       current_order_items.category,
       current_order_items.batch_id, current_order_items.source_key,
       current_order_items.source_line, -1 as file_index, -1 as statement_index
from current_order_items
join contested_orders on contested_orders.order_id = current_order_items.order_id
union all
select staged_order_items.order_id, staged_order_items.product_id, staged_order_items.line_id,
       staged_order_items.quantity, staged_order_items.unit_price_cents,
       staged_order_items.line_amount_cents, staged_order_items.added_to_total_cents,
       cast(null as string) as category,
       staged_order_items.batch_id, staged_order_items.source_key,
       staged_order_items.source_line, staged_order_items.file_index,
       staged_order_items.statement_index
from staged_order_items
join contested_orders on contested_orders.order_id = staged_order_items.order_id
