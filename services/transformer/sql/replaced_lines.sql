-- The lines that go, of the facts and of the batch itself: a newer statement has replaced them.
select order_id, batch_id, source_key, source_line, file_index
from line_outcomes
where replaced_in is not null
