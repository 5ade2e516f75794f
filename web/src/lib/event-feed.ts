import type { StrataEvent } from './api/types'
import { Store } from './store'

export type FeedStatus = 'connecting' | 'catching-up' | 'live' | 'reconnecting' | 'paused'

export interface FeedState {
  status: FeedStatus
  /** Newest first, at most `keep`. */
  events: StrataEvent[]
  /** What is after this position came while somebody was watching; Infinity until the feed is live. */
  liveAfter: number
}

/** The part of a browser's WebSocket that the feed uses. */
export interface Socket {
  onopen: (() => void) | null
  onmessage: ((message: { data: unknown }) => void) | null
  onclose: (() => void) | null
  close(): void
}

interface Options {
  /** Opens a socket that sends what comes after a position. */
  open: (after: number) => Socket
  keep?: number
  /** Delay before the n-th try in a row, in ms. */
  backoff?: (attempt: number) => number
  schedule?: (run: () => void, ms: number) => () => void
}

const defaultBackoff = (attempt: number) => Math.min(10_000, 250 * 2 ** attempt)

/** Events that arrive within this time, in ms, are shown together: a page redraws in a few of them, however busy the log. */
const batchTime = 50

const defaultSchedule = (run: () => void, ms: number) => {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

/**
 * Follows the event log over a websocket. The position of the last event seen
 * is all the state there is: after a lost connection, a pause, or the server
 * closing a slow reader, the feed asks for everything after it, so there is no
 * gap; and what arrives twice is dropped, so there is no repetition.
 */
export class EventFeed {
  readonly state: Store<FeedState>
  private readonly options: Required<Options>
  private socket: Socket | undefined
  private cancelRetry: (() => void) | undefined
  private cancelFlush: (() => void) | undefined
  /** Received and not shown yet, oldest first. */
  private pending: StrataEvent[] = []
  private position: number
  private attempt = 0

  constructor(options: Options, start: { events: StrataEvent[]; after: number }) {
    this.options = { keep: 1000, backoff: defaultBackoff, schedule: defaultSchedule, ...options }
    this.position = start.after
    this.state = new Store<FeedState>({
      status: 'connecting',
      events: start.events.slice(0, this.options.keep),
      liveAfter: Infinity,
    })
    this.connect('connecting')
  }

  /** Stops following; nothing is lost, resume goes on at the same position. */
  pause(): void {
    this.disconnect()
    this.flush()
    this.update({ status: 'paused' })
  }

  resume(): void {
    if (this.state.get().status !== 'paused') return
    this.attempt = 0
    this.connect('connecting')
  }

  /** Forgets what is shown; the position stays. */
  clear(): void {
    this.pending = []
    this.update({ events: [] })
  }

  close(): void {
    this.cancelFlush?.()
    this.disconnect()
  }

  private connect(status: FeedStatus): void {
    this.update({ status })
    const socket = this.options.open(this.position)
    this.socket = socket
    socket.onopen = () => this.update({ status: 'catching-up' })
    socket.onmessage = (message) => this.receive(String(message.data))
    socket.onclose = () => {
      if (this.socket !== socket) return
      this.socket = undefined
      this.update({ status: 'reconnecting' })
      this.cancelRetry = this.options.schedule(() => this.connect('reconnecting'), this.options.backoff(this.attempt++))
    }
  }

  private disconnect(): void {
    this.cancelRetry?.()
    this.cancelRetry = undefined
    const socket = this.socket
    this.socket = undefined
    socket?.close()
  }

  private receive(text: string): void {
    const frame = parseFrame(text)
    if (!frame) return
    if (frame.type === 'event' && frame.event) {
      this.add(frame.event)
      return
    }
    if (frame.type === 'caught_up') {
      this.attempt = 0
      this.position = Math.max(this.position, frame.sequence ?? 0)
      this.update({ status: 'live', liveAfter: Math.min(this.state.get().liveAfter, this.position) })
      return
    }
    // The server says where to go on; it never claims more than it has sent.
    if (frame.type === 'closed' && frame.resumeAfter !== undefined) {
      this.position = Math.max(this.position, frame.resumeAfter)
    }
  }

  private add(event: StrataEvent): void {
    if (event.sequence <= this.position) return
    this.position = event.sequence
    this.pending.push(event)
    if (this.pending.length >= this.options.keep) this.flush()
    else this.cancelFlush ??= this.options.schedule(() => this.flush(), batchTime)
  }

  private flush(): void {
    this.cancelFlush?.()
    this.cancelFlush = undefined
    if (this.pending.length === 0) return
    const arrived = this.pending.reverse()
    this.pending = []
    this.update({ events: [...arrived, ...this.state.get().events].slice(0, this.options.keep) })
  }

  private update(change: Partial<FeedState>): void {
    this.state.set({ ...this.state.get(), ...change })
  }
}

interface Frame {
  type?: string
  event?: StrataEvent
  sequence?: number
  resumeAfter?: number
}

function parseFrame(text: string): Frame | undefined {
  try {
    return JSON.parse(text) as Frame
  } catch {
    return undefined
  }
}
