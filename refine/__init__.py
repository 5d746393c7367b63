"""spte-refine: check the page-table protocols of Linux KVM."""
