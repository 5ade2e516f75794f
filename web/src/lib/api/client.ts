/** A fault of one field, as the server names it. */
export interface FieldFault {
  field: string
  message: string
}

interface ErrorFacts {
  status: number
  code: string
  message: string
  details?: FieldFault[]
  params?: Record<string, unknown>
  requestId?: string
}

/** Everything the server says about a refused or failed request. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly details: FieldFault[]
  readonly params: Record<string, unknown>
  readonly requestId: string

  constructor(facts: ErrorFacts) {
    super(facts.message)
    this.name = 'ApiError'
    this.status = facts.status
    this.code = facts.code
    this.details = facts.details ?? []
    this.params = facts.params ?? {}
    this.requestId = facts.requestId ?? ''
  }
}

/** Whether a write was refused because somebody else has written since: a 409 for other reasons names no revision. */
export function hasMovedOn(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 412 || (error.status === 409 && error.params.revision !== undefined))
}

/** A resource with the tag of its revision, for a write that is to replace no other one. */
export type Tagged<T> = T & { etag: string }

export interface Page<T> {
  items: T[]
  hasMore: boolean
  nextCursor: string
}

export type Query = Record<string, string | number | boolean | undefined | null>

interface Options {
  base: string
  token: string
  fetch?: typeof fetch
  /** Called for every answer that says the key is not valid (any more). */
  onUnauthorized?: () => void
}

/** Writes a query string; empty values are left out. */
export function queryString(query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  const text = params.toString()
  return text ? `?${text}` : ''
}

/**
 * The one door to the server. It knows the three wire shapes (enveloped
 * /api/v1, plain /v1, OpenAI's), turns every failure into an ApiError, and
 * keeps read-your-writes: the position a write answered is sent with every
 * later read, so that a list never misses what was just created.
 */
export class ApiClient {
  readonly base: string
  readonly token: string
  private readonly doFetch: typeof fetch
  private readonly onUnauthorized: (() => void) | undefined
  private position = 0

  constructor(options: Options) {
    this.base = options.base
    this.token = options.token
    this.doFetch = options.fetch ?? ((input, init) => fetch(input, init))
    this.onUnauthorized = options.onUnauthorized
  }

  /** Reads one resource: `data` of the envelope, or the plain object. */
  async get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return unwrap(await this.send('GET', path + queryString(query), undefined, signal)) as T
  }

  /** Reads one resource with the tag of its revision; the tag is empty where the server gives none. */
  async getTagged<T extends object>(path: string, signal?: AbortSignal): Promise<Tagged<T>> {
    const { response, parsed } = await this.exchange('GET', path, undefined, signal)
    return { ...(unwrap(parsed) as T), etag: response.headers.get('ETag') ?? '' }
  }

  /** Reads one page of a list of any mount. */
  async list<T>(path: string, query?: Query, signal?: AbortSignal): Promise<Page<T>> {
    const body = (await this.send('GET', path + queryString(query), undefined, signal)) as ListBody<T> | null
    return {
      items: body?.data ?? [],
      hasMore: body?.pagination?.hasMore ?? body?.has_more ?? false,
      nextCursor: body?.pagination?.nextCursor ?? '',
    }
  }

  async post<T>(path: string, body?: unknown): Promise<T> {
    return unwrap(await this.send('POST', path, body ?? {})) as T
  }

  /** Reads with a POST, as some lists and searches are asked for: it sees earlier writes as any read does. */
  async query<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return unwrap(await this.send('POST', path, body, signal, true)) as T
  }

  async put<T>(path: string, body: unknown): Promise<T> {
    return unwrap(await this.send('PUT', path, body)) as T
  }

  /** Changes what is named; with a tag only while the resource is at that revision, else hasMovedOn says so of the error. */
  async patch<T>(path: string, body: unknown, etag = ''): Promise<T> {
    return unwrap((await this.exchange('PATCH', path, body, undefined, false, etag)).parsed) as T
  }

  async delete<T>(path: string): Promise<T> {
    return unwrap(await this.send('DELETE', path)) as T
  }

  /** Sends files, as a form. */
  async upload<T>(path: string, form: FormData): Promise<T> {
    return unwrap(await this.send('POST', path, form)) as T
  }

  /** Later reads include everything up to this position, because the caller has seen an event of it. */
  saw(position: number): void {
    if (position > this.position) this.position = position
  }

  /** Reads a file, whatever its format. */
  async download(path: string, query?: Query): Promise<Blob> {
    const response = await this.fetch('GET', path + queryString(query))
    if (!response.ok) throw this.refusal(response, parse(await response.text()))
    return response.blob()
  }

  private async fetch(method: string, path: string, body?: unknown, signal?: AbortSignal, reads = method === 'GET', etag = ''): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` }
    const form = body instanceof FormData
    // Of a form the browser writes the type itself, with the boundary it has chosen.
    if (body !== undefined && !form) headers['Content-Type'] = 'application/json'
    if (etag) headers['If-Match'] = etag
    if (reads && this.position > 0) headers['Strata-Min-Position'] = String(this.position)
    const init: RequestInit = { method, headers, credentials: 'omit' }
    if (body !== undefined) init.body = form ? body : JSON.stringify(body)
    if (signal) init.signal = signal

    let response: Response
    try {
      response = await this.doFetch(this.base + path, init)
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
      throw new ApiError({ status: 0, code: 'UNREACHABLE', message: 'The server cannot be reached.' })
    }
    this.saw(Number(response.headers.get('Strata-Position')))
    return response
  }

  private refusal(response: Response, parsed: unknown): ApiError {
    if (response.status === 401) this.onUnauthorized?.()
    return toError(response, parsed)
  }

  private async send(method: string, path: string, body?: unknown, signal?: AbortSignal, reads?: boolean): Promise<unknown> {
    return (await this.exchange(method, path, body, signal, reads)).parsed
  }

  private async exchange(method: string, path: string, body?: unknown, signal?: AbortSignal, reads?: boolean, etag?: string) {
    const response = await this.fetch(method, path, body, signal, reads, etag)
    const parsed = parse(await response.text())
    if (!response.ok) throw this.refusal(response, parsed)
    if (parsed === undefined) {
      throw new ApiError({
        status: response.status,
        code: 'UNEXPECTED_ANSWER',
        message: 'The server did not answer with JSON. Is a proxy in between?',
        requestId: response.headers.get('X-Request-Id') ?? '',
      })
    }
    return { response, parsed }
  }
}

interface ListBody<T> {
  data?: T[]
  pagination?: { hasMore?: boolean; nextCursor?: string }
  has_more?: boolean
}

/** Parses JSON; null for an empty body and undefined for what is not JSON. */
function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return undefined
  }
}

function unwrap(body: unknown): unknown {
  return isObject(body) && body.success === true && 'data' in body ? body.data : body
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads the error of any mount; a shape it does not know still gets a sentence. */
function toError(response: Response, body: unknown): ApiError {
  const outer = isObject(body) ? body : {}
  const inner = isObject(outer.error) ? outer.error : outer
  const meta = isObject(outer.meta) ? outer.meta : {}
  const message = typeof outer.error === 'string' ? outer.error : inner.message
  return new ApiError({
    status: response.status,
    code: typeof inner.code === 'string' ? inner.code : `HTTP_${response.status}`,
    message: typeof message === 'string' && message ? message : `The server answered ${response.status}.`,
    details: Array.isArray(inner.details) ? (inner.details as FieldFault[]) : [],
    params: isObject(inner.params) ? inner.params : {},
    requestId: response.headers.get('X-Request-Id') ?? (typeof meta.requestId === 'string' ? meta.requestId : ''),
  })
}
