-- Every order line in reach of the batch and what becomes of it: kept, restated (goes) or new.
-- A line stands on its order's day, and waits without a day while the order is unknown; it takes
-- its product's category once, and waits without one while the product is unknown. A line whose order
-- the batch does not mention stays on its day.
select current_order_items.order_id, current_order_items.product_id,
       current_order_items.quantity, current_order_items.unit_price_cents,
       coalesce(current_order_items.category, next_products.category) as category,
       coalesce(standing_orders.order_date, current_order_items.order_date) as order_date,
       current_order_items.batch_id, current_order_items.source_key,
       current_order_items.source_line,
       current_order_items.line_id, current_order_items.line_amount_cents,
       current_order_items.added_to_total_cents,
       -1 as file_index, current_order_items.order_date as old_order_date,
       current_order_items.data_file, current_order_items.row_in_file,
       case
           when replaced_lines.order_id is not null then 'restated'
           when standing_orders.order_date is not null
                and standing_orders.order_date is distinct from current_order_items.order_date
               then 'changed'
           when current_order_items.category is null and next_products.category is not null
               then 'changed'
           else 'unchanged'
       end as outcome
from current_order_items
left join replaced_lines
  on replaced_lines.order_id = current_order_items.order_id
 and replaced_lines.source_line = current_order_items.source_line
 and replaced_lines.source_key = current_order_items.source_key
 and replaced_lines.batch_id = current_order_items.batch_id
left join standing_orders on standing_orders.order_id = current_order_items.order_id
left join next_products on next_products.product_id = current_order_items.product_id
union all
select staged_order_items.order_id, staged_order_items.product_id,
       staged_order_items.quantity, staged_order_items.unit_price_cents,
       coalesce(pair_categories.category, next_products.category) as category,
       standing_orders.order_date,
       staged_order_items.batch_id, staged_order_items.source_key,
       staged_order_items.source_line,
       staged_order_items.line_id, staged_order_items.line_amount_cents,
       staged_order_items.added_to_total_cents,
       staged_order_items.file_index, cast(null as date) as old_order_date,
       cast(null as string) as data_file, cast(null as bigint) as row_in_file,
       'new' as outcome
from staged_order_items
left join replaced_lines
  on replaced_lines.order_id = staged_order_items.order_id
 and replaced_lines.source_line = staged_order_items.source_line
 and replaced_lines.file_index = staged_order_items.file_index
left join pair_categories
  on pair_categories.order_id = staged_order_items.order_id
 and pair_categories.product_id = staged_order_items.product_id
left join standing_orders on standing_orders.order_id = staged_order_items.order_id
left join next_products on next_products.product_id = staged_order_items.product_id
where replaced_lines.order_id is null
