// Starts the API reference. Everything comes from this server: no fonts, no
// proxy, no telemetry, no assistant of anybody else's.
const here = location.href.split(/[?#]/)[0]
const base = new URL('../..', here).href.replace(/\/$/, '')
const main = document.getElementById('reference')
const wait = document.getElementById('wait')
const copy = document.getElementById('copy')

document.getElementById('base').textContent = base
copy.addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(base)
    copy.textContent = 'Copied'
  } catch {
    getSelection()?.selectAllChildren(document.getElementById('base'))
    copy.textContent = 'Selected'
  }
  setTimeout(() => (copy.textContent = 'Copy'), 1500)
})

/** The key of a console that is signed in, so that requests can be tried at once. */
function keptKey() {
  try {
    return sessionStorage.getItem('strata.key') ?? localStorage.getItem('strata.key') ?? ''
  } catch {
    return ''
  }
}

async function start() {
  const response = await fetch(main.dataset.document, { headers: { Accept: 'application/json' } })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const content = await response.json()
  const mount = document.createElement('div')
  main.append(mount)
  window.Scalar.createApiReference(mount, {
    content,
    // Requests go where this page came from, also behind a proxy.
    servers: [{ url: base, description: 'This server' }],
    darkMode: document.documentElement.dataset.theme === 'dark',
    hideDarkModeToggle: true,
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    // Its heading would read like our own "Models"; each operation shows its schemas anyway.
    hideModels: true,
    showDeveloperTools: 'never',
    persistAuth: false,
    defaultOpenAllTags: false,
    authentication: { preferredSecurityScheme: 'bearer', securitySchemes: { bearer: { token: keptKey() } } },
  })
  wait.remove()
}

start().catch((error) => {
  wait.setAttribute('role', 'alert')
  wait.textContent = `The API description could not be loaded: ${error.message}.`
})
