-- The category that the lines of a contested pair are counted under: its new lines keep it.
select order_id, product_id, max(category) as category
from contested_lines
where statement_index = -1
group by order_id, product_id
