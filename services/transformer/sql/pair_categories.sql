-- The category that a restated pair already has: it is kept.
select current_order_items.order_id, current_order_items.product_id,
       max(current_order_items.category) as category
from current_order_items
join batch_pairs
  on batch_pairs.order_id = current_order_items.order_id
 and batch_pairs.product_id = current_order_items.product_id
group by current_order_items.order_id, current_order_items.product_id
