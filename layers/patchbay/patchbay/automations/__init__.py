"""Automations: hooks, actions and lists of choices for Zapier, Make and n8n.

Entry points: `hooks` lists triggers and samples, and subscribes automations to events; `runs` starts actions,
takes the platform's answers and sweeps runs that are due; `choices` has the lists for dropdowns.
Table: automations (`store`). Hooks are webhooks, in the table of `patchbay.webhooks`.
"""
