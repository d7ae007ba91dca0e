-- Orders of whose lines more than one file of the batch says something.
select order_id
from (
    select order_id, file_index from staged_order_items
    union all
    select order_id, file_index from whole_statements
) as stated
group by order_id
having min(file_index) <> max(file_index)
