-- Replaced lines in whose place a newer file has other content: the line of the same line_id, or
-- among the lines of the pair one that equals it, each standing for one; or that it has not at all,
-- where it states the order whole.
select replaced.order_id, replaced.product_id, replaced.line_id,
       coalesce(
           replaced.same_id_key, first_lines.source_key, whole_statements.source_key
       ) as source_key,
       coalesce(
           replaced.same_id_line, first_lines.source_line, whole_statements.source_line
       ) as source_line,
       replaced.batch_id as replaced_batch_id, replaced.source_key as replaced_key,
       replaced.source_line as replaced_line, replaced.file_index as replaced_file_index
from (
    select old.order_id, old.product_id, old.line_id, old.replaced_in, old.batch_id,
           old.source_key, old.source_line, old.file_index, old.quantity, old.unit_price_cents,
           old.line_amount_cents, old.added_to_total_cents,
           same_id.source_key as same_id_key, same_id.source_line as same_id_line,
           case
               when same_id.product_id <> old.product_id
                 or same_id.quantity <> old.quantity
                 or same_id.unit_price_cents <> old.unit_price_cents
                 or same_id.line_amount_cents <> old.line_amount_cents
                 or same_id.added_to_total_cents <> old.added_to_total_cents
               then 1
               else 0
           end as is_other,
           row_number() over (
               partition by old.order_id, old.product_id, old.replaced_in, old.quantity,
                            old.unit_price_cents, old.line_amount_cents, old.added_to_total_cents,
                            case when same_id.order_id is null then 0 else 1 end
               order by old.statement_index, old.file_index, old.source_line
           ) as number_among_equals
    from line_outcomes as old
    left join line_outcomes as same_id
      on same_id.order_id = old.order_id
     and same_id.line_id = old.line_id
     and same_id.statement_index = old.replaced_in
     and same_id.next_numbered is distinct from same_id.statement_index
    where old.replaced_in is not null
) as replaced
left join (
    select order_id, product_id, statement_index, quantity, unit_price_cents, line_amount_cents,
           added_to_total_cents, count(*) as line_count
    from line_outcomes
    where line_id is null or next_numbered is distinct from statement_index
    group by order_id, product_id, statement_index, quantity, unit_price_cents, line_amount_cents,
             added_to_total_cents
) as equals
  on equals.order_id = replaced.order_id
 and equals.product_id = replaced.product_id
 and equals.statement_index = replaced.replaced_in
 and equals.quantity = replaced.quantity
 and equals.unit_price_cents = replaced.unit_price_cents
 and equals.line_amount_cents = replaced.line_amount_cents
 and equals.added_to_total_cents = replaced.added_to_total_cents
left join (
    select order_id, product_id, statement_index, source_key, source_line,
           row_number() over (
               partition by order_id, product_id, statement_index
               order by file_index, source_line
           ) as position_in_pair
    from line_outcomes
) as first_lines
  on first_lines.order_id = replaced.order_id
 and first_lines.product_id = replaced.product_id
 and first_lines.statement_index = replaced.replaced_in
 and first_lines.position_in_pair = 1
left join whole_statements
  on whole_statements.order_id = replaced.order_id
 and whole_statements.statement_index = replaced.replaced_in
where case
          when replaced.same_id_key is not null then replaced.is_other = 1
          else replaced.number_among_equals > coalesce(equals.line_count, 0)
      end
