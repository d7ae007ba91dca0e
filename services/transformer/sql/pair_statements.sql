-- The statements that have lines of an (order, product), or that state the order whole, and which
-- statement is the next of these, or the next that replaces all lines of the pair: one that has any
-- without a line_id, or that states the order whole.
select order_id, product_id, statement_index,
       lead(statement_index) over (
           partition by order_id, product_id order by statement_index
       ) as next_statement,
       min(case when replaces_all = 1 then statement_index end) over (
           partition by order_id, product_id order by statement_index
           rows between 1 following and unbounded following
       ) as next_replacing_all
from (
    select order_id, product_id, statement_index, max(replaces_all) as replaces_all
    from (
        select order_id, product_id, statement_index,
               case when line_id is null then 1 else 0 end as replaces_all
        from contested_lines
        union all
        select pairs.order_id, pairs.product_id, whole_statements.statement_index, 1
        from (select distinct order_id, product_id from contested_lines) as pairs
        join whole_statements on whole_statements.order_id = pairs.order_id
    ) as stated
    group by order_id, product_id, statement_index
) as statements
