"""The web console: pages for people, made of the same views and KPIs as the JSON answers."""
