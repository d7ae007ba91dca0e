-- Lines whose order is not known, in total after the batch.
select count(*) as row_count from kpi_order_items where order_date is null
