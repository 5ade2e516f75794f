import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { base } from './helpers.mjs'

/**
 * A small reverse proxy that shows the server under a sub-path, as many people
 * run it, and that can cut every websocket at once.
 */
export async function startProxy(prefix) {
  const target = new URL(base)
  const port = Number(target.port || 80)
  const tunnels = new Set()
  const rewritten = (url) => target.pathname.replace(/\/$/, '') + url.slice(prefix.length)

  const server = createServer((request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404).end('outside of the sub-path')
      return
    }
    const onward = httpRequest(
      { host: target.hostname, port, method: request.method, path: rewritten(request.url), headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })

  server.on('upgrade', (request, socket, head) => {
    const onward = connect(port, target.hostname, () => {
      const headers = request.rawHeaders.reduce((text, part, i) => text + part + (i % 2 ? '\r\n' : ': '), '')
      onward.write(`GET ${rewritten(request.url)} HTTP/1.1\r\n${headers}\r\n`)
      onward.write(head)
      socket.pipe(onward).pipe(socket)
    })
    tunnels.add(socket)
    const end = () => {
      tunnels.delete(socket)
      socket.destroy()
      onward.destroy()
    }
    for (const side of [socket, onward]) side.on('error', end).on('close', end)
  })

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    base: `http://127.0.0.1:${server.address().port}${prefix}`,
    cutSockets() {
      for (const socket of tunnels) socket.destroy()
    },
    async stop() {
      this.cutSockets()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
