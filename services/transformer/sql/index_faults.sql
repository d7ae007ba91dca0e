-- Entries of the index that are not as the orders give them, on either side.
select order_hash, order_date
from (
    select order_hash, order_date, change from order_days
    union all
    select order_hash, order_date, -change from rebuilt_order_days
) as compared
group by order_hash, order_date
having sum(change) <> 0
