// Sets the theme before the first paint. A file of its own, because the page's
// content security policy allows no inline script.
;(() => {
  let kept = null
  try {
    kept = localStorage.getItem('strata.theme')
  } catch {
    // No storage: follow the system.
  }
  const dark = kept === 'dark' || (kept !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
