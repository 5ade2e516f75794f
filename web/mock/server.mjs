/**
 * A stand-in for the server, for working on the console: it speaks the same
 * API over made-up data and serves the built console as the binary does.
 *
 *   PORT         default 8000
 *   API_KEY      the one key that is accepted, default "mock"
 *   MOCK_PREFIX  a sub-path, as behind a proxy, for example /strata
 *   MOCK_EMPTY   start with nothing recorded
 *   MOCK_ENGINE  state of the analytics engine: ready, starting, missing…
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { createWorld, id } from './data.mjs'
import { Refusal, route } from './routes.mjs'
import { chatSocket, eventSocket } from './sockets.mjs'
import { openapi } from './openapi.mjs'

const port = Number(process.env.PORT ?? 8000)
const key = process.env.API_KEY ?? 'mock'
const prefix = process.env.MOCK_PREFIX ?? ''
const dist = fileURLToPath(new URL('../dist', import.meta.url))
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
const csp = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const world = createWorld()
setInterval(() => world.call(Date.now()), 1500).unref()

async function body(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  try {
    return chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {}
  } catch {
    throw new Refusal(400, 'INVALID_REQUEST', 'the body is not JSON')
  }
}

function json(response, status, value, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}

async function file(response, path) {
  const name = path === '' || !extname(path) ? 'index.html' : path
  try {
    const content = await readFile(join(dist, normalize(`/${name}`)))
    response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': csp })
    response.end(content)
  } catch {
    json(response, 404, { error: 'not found' })
  }
}

async function docs(response) {
  const page = (await readFile(join(dist, 'docs/index.html'), 'utf8')).replaceAll('{{spec}}', 'openapi.json')
  response.writeHead(200, { 'Content-Type': types['.html'], 'Content-Security-Policy': csp })
  response.end(page)
}

async function api(request, response, path, query) {
  const requestId = id('req')
  const headers = { 'X-Request-Id': requestId }
  const before = world.position
  try {
    if (request.headers.authorization !== `Bearer ${key}`) throw new Refusal(401, 'UNAUTHORIZED', 'the key is not valid')
    const { handler, params } = route(request.method, path)
    const answer = handler({ world, query, params, body: await body(request) })
    if (world.position > before) headers['Strata-Position'] = String(world.position)
    const meta = { timestamp: new Date().toISOString(), version: '1.0', requestId }
    if (answer.plain) json(response, answer.status ?? 200, answer.plain, headers)
    else if (answer.list) json(response, 200, { success: true, data: answer.list, pagination: answer.pagination, meta }, headers)
    else json(response, answer.status ?? 200, { success: true, data: answer.data, meta }, headers)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { status, code, message, details } = error
    if (path.startsWith('/openai/')) json(response, status, { error: { message, type: 'invalid_request_error', code } }, headers)
    else if (path.startsWith('/v1/')) json(response, status, { error: message, code, details }, headers)
    else json(response, status, { success: false, error: { code, message, details }, meta: { requestId } }, headers)
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://mock')
  const path = url.pathname.slice(prefix.length)
  const handle = async () => {
    if (path === '/console') return response.writeHead(302, { Location: 'console/' }).end()
    if (path.startsWith('/console/')) return file(response, path.slice('/console/'.length))
    if (path === '/api/v1/docs') return docs(response)
    if (path === '/api/v1/openapi.json') return json(response, 200, openapi)
    if (path === '/readyz') {
      const state = process.env.MOCK_ENGINE ?? 'ready'
      return json(response, 200, { status: 'ready', components: { log: { status: 'ready', head: world.position }, projections: [], clickhouse: { state, restarts: 0 } } })
    }
    return api(request, response, path, url.searchParams)
  }
  handle().catch((error) => {
    console.error(error)
    json(response, 500, { success: false, error: { code: 'INTERNAL_ERROR', message: 'internal error' } })
  })
})

const sockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url ?? '/', 'http://mock')
  const path = url.pathname.slice(prefix.length)
  if (url.searchParams.get('access_token') !== key) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
  sockets.handleUpgrade(request, socket, head, (ws) => {
    if (path === '/api/v1/events/ws') eventSocket(world, ws, url.searchParams)
    else if (path === '/api/v1/chat/stream') chatSocket(world, ws)
    else ws.close()
  })
})

server.listen(port, '127.0.0.1', () => console.log(`mock: http://localhost:${port}${prefix}/console/ (key: ${key})`))
