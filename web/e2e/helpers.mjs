/**
 * What the browser tests share. They run against any Strata: BASE_URL and
 * API_KEY say which, so the same files test the mock and the real binary.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const base = (process.env.BASE_URL ?? 'http://localhost:8000').replace(/\/$/, '')
export const key = process.env.API_KEY ?? 'mock'

const shots = fileURLToPath(new URL('./shots/', import.meta.url))
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: flags })
}

/** Position of the latest write, so that reads wait until they include it. */
let written

/** Calls the API from outside the browser; the answer's data, or the plain object. */
export async function api(method, path, body) {
  const response = await fetch(base + path, {
    method,
    headers: {
      Authorization: `Bearer ${key}`,
      ...(written && { 'Strata-Min-Position': written }),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  written = response.headers.get('Strata-Position') ?? written
  const answer = await response.json()
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer.success === true ? answer.data : answer
}

/** The mock answers lists only; what is done with them needs a real server. */
export async function isMock() {
  return (await api('GET', '/api/v1/auth/whoami')).user?.id === 'user_01mock'
}

/** Some model that can hold a conversation. */
export async function chatModel() {
  const { data } = await api('GET', '/openai/v1/models')
  const model = data.find((m) => m.id.startsWith('strata/') && !m.id.includes('embed')) ?? data.find((m) => !m.id.includes('embed'))
  assert.ok(model, 'the server lists no model that can chat')
  return model.id
}

/** One recorded call; more fields of the request may be given. */
export async function makeCall(more = {}) {
  const model = more.model ?? (await chatModel())
  return api('POST', '/openai/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content: 'The shop opens at nine. When does the shop open?' }],
    ...more,
  })
}

/**
 * Runs a test in a fresh page. It fails on any request to another host, on any
 * uncaught error, and on any violation of the content security policy.
 */
export async function withPage(browser, options, run) {
  const { theme = 'light', width = 1360, height = 900, signedIn = true, origin = base } = options
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-US',
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const faults = []
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text())
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !/^(data|blob|about):/.test(url)) faults.push(`external request: ${url}`)
  })
  if (signedIn) await context.addInitScript((value) => sessionStorage.setItem('strata.key', value), key)
  try {
    await run(page, context)
    assert.deepEqual(faults, [])
  } finally {
    await context.close()
  }
}

export const open = (page, path = '', at = base) => page.goto(`${at}/console/${path}`)

/** Positions of the events that were recorded after one, oldest first. */
export async function eventsAfter(position) {
  const events = await api('GET', '/api/v1/events?limit=100&sortOrder=desc')
  return events.map((event) => event.sequence).filter((sequence) => sequence > position).sort((a, b) => a - b)
}

/** The position of the latest event. */
export async function head() {
  return Math.max(0, ...(await eventsAfter(-1)))
}

let serial = 0

/** A name that no earlier run has used. */
export const uniqueName = (what) => `${what} ${Date.now().toString(36)}-${++serial}`

export async function makeBudget(more = {}) {
  return api('POST', '/api/v1/budgets', { name: uniqueName('Test'), scopeType: 'workspace', limitUsd: 5, period: 'monthly', ...more })
}

/** Accessibility by axe; every violation is named with its elements. */
export async function checkAxe(page, what) {
  // Through the debugger's door: the page's own policy allows no inline script.
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  )
  const found = violations.map((v) => `${v.id}: ${v.help}\n    ${v.nodes.map((n) => `${n.target} ${n.failureSummary?.split('\n')[1]?.trim() ?? ''}`).slice(0, 5).join('\n    ')}`)
  assert.deepEqual(found, [], `axe on ${what}`)
}

/** No page may scroll sideways. */
export async function checkWidth(page, what) {
  const { content, view } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, view: innerWidth }))
  assert.ok(content <= view, `${what} is ${content} px wide in a window of ${view}`)
}

export async function shot(page, name) {
  mkdirSync(shots, { recursive: true })
  await page.screenshot({ path: `${shots}${name}.png` })
}
