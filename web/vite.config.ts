import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, URL } from 'node:url'
import { gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const here = fileURLToPath(new URL('.', import.meta.url))
const scalar = join(here, 'node_modules/@scalar/api-reference/dist/browser/standalone.js')

/**
 * Puts the API docs page into dist/docs: our page and script, and Scalar's
 * self-contained bundle under a hashed name, so that it can be cached for ever.
 */
function docsPage(): Plugin {
  return {
    name: 'strata-docs',
    apply: 'build',
    closeBundle() {
      const out = join(here, 'dist/docs')
      mkdirSync(out, { recursive: true })
      const hashed = (name: string, body: Buffer) => {
        const hash = createHash('sha256').update(body).digest('hex').slice(0, 8)
        const file = name.replace(/\.(\w+)$/, `-${hash}.$1`)
        writeFileSync(join(out, file), body)
        return file
      }
      let page = readFileSync(join(here, 'docs/index.html'), 'utf8')
      const files = { 'scalar.js': scalar, 'docs.js': join(here, 'docs/docs.js'), 'docs.css': join(here, 'docs/docs.css') }
      for (const [name, path] of Object.entries(files)) {
        page = page.replace(`{{${name}}}`, hashed(name, readFileSync(path)))
      }
      writeFileSync(join(out, 'index.html'), page)
      cpSync(join(here, 'docs/LICENSE.scalar'), join(out, 'LICENSE.scalar'))
    },
  }
}

/** Writes a .gz beside every text file worth it; the server hands it out as it is. */
function precompress(): Plugin {
  return {
    name: 'strata-precompress',
    apply: 'build',
    enforce: 'post',
    closeBundle() {
      const dist = join(here, 'dist')
      for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const body = readFileSync(path)
        if (body.length > 1024) writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }))
      }
    },
  }
}

export default defineConfig({
  // Relative, so that the same build works under any sub-path behind a proxy.
  base: './',
  plugins: [react(), tailwindcss(), docsPage(), precompress()],
  resolve: { alias: { '@': join(here, 'src') } },
  build: { target: 'es2022', emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: {
    // "npm run dev" serves the console at /console/ and hands everything else
    // to a running server: the mock (npm run mock) or the real one.
    port: 5173,
    proxy: Object.fromEntries(
      ['/api', '/v1', '/openai', '/readyz'].map((path) => [
        path,
        { target: process.env.STRATA_URL ?? 'http://localhost:8000', ws: true },
      ]),
    ),
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
