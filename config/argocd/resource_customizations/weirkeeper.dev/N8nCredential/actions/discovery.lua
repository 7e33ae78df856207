-- Actions on an N8nCredential.

return {
  retry = {
    displayName = "Reconcile and test now",
    iconClass = "fa fa-fw fa-sync",
  },
}
