-- The statements that have lines of an (order, product), and which statement is the next to have
-- any, or to have any without a line_id.
select order_id, product_id, statement_index,
       lead(statement_index) over (
           partition by order_id, product_id order by statement_index
       ) as next_statement,
       min(case when has_unnumbered = 1 then statement_index end) over (
           partition by order_id, product_id order by statement_index
           rows between 1 following and unbounded following
       ) as next_unnumbered
from (
    select order_id, product_id, statement_index,
           max(case when line_id is null then 1 else 0 end) as has_unnumbered
    from contested_lines
    group by order_id, product_id, statement_index
) as statements
