import type { Socket } from './event-feed'

export interface TokenUsage {
  prompt?: number
  completion?: number
  total?: number
}

export interface ChatRequest {
  message: string
  chatId?: string
  model?: string
  appId?: string
}

export interface ChatEnd {
  /** The answer's id, for feedback. */
  messageId?: string | undefined
  usage?: TokenUsage | undefined
  cancelled: boolean
}

export interface ChatHandlers {
  onStart: (chatId: string | undefined) => void
  onToken: (content: string) => void
  /** Exactly one of onEnd and onError is called, once, and nothing after it. */
  onEnd: (end: ChatEnd) => void
  onError: (error: { code: string; message: string }) => void
}

export interface ChatSocket extends Socket {
  send(data: string): void
}

interface Frame {
  type?: string
  chatId?: string
  messageId?: string
  content?: string
  tokenUsage?: TokenUsage
  error?: { code?: string; message?: string }
}

/**
 * Sends one message and follows the answer. One socket per message: an answer
 * then belongs to its question whatever happens to the network, and closing
 * the page cancels the run at the server.
 */
export function sendMessage(socket: ChatSocket, request: ChatRequest, handlers: ChatHandlers): { cancel: () => void } {
  let settled = false
  let cancelled = false
  const settle = (report: () => void) => {
    if (settled) return
    settled = true
    report()
    socket.close()
  }
  socket.onopen = () => socket.send(JSON.stringify({ type: 'message', ...request }))
  socket.onmessage = (message) => {
    if (settled) return
    const frame = JSON.parse(String(message.data)) as Frame
    switch (frame.type) {
      case 'start':
        handlers.onStart(frame.chatId)
        break
      case 'token':
        handlers.onToken(frame.content ?? '')
        break
      case 'end':
        settle(() => handlers.onEnd({ messageId: frame.messageId, usage: frame.tokenUsage, cancelled }))
        break
      case 'error':
        settle(() =>
          cancelled
            ? handlers.onEnd({ cancelled })
            : handlers.onError({
                code: frame.error?.code ?? 'ERROR',
                message: frame.error?.message ?? 'The answer could not be made.',
              }),
        )
        break
    }
  }
  socket.onclose = () =>
    settle(() =>
      cancelled
        ? handlers.onEnd({ cancelled })
        : handlers.onError({ code: 'CONNECTION_LOST', message: 'The connection ended before the answer did.' }),
    )
  return {
    cancel() {
      if (settled || cancelled) return
      cancelled = true
      // Sending on a socket that is not open yet would throw: then closing it is all there is to do.
      try {
        socket.send(JSON.stringify({ type: 'cancel' }))
      } catch {
        settle(() => handlers.onEnd({ cancelled }))
      }
    },
  }
}
