import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { queryString } from '@/lib/api/client'
import { useApi } from '@/lib/api/context'
import { socketUrl } from '@/lib/base'
import type { ChatSocket, TokenUsage } from '@/lib/chat-stream'
import type { Rating } from '@/lib/api/types'
import { sendMessage } from '@/lib/chat-stream'

export interface Turn {
  key: string
  /** The server's id, for feedback; unknown for what is being said. */
  id?: string | undefined
  role: string
  content: string
  state: 'done' | 'streaming' | 'cancelled' | 'failed'
  error?: string
  usage?: TokenUsage | undefined
  rating?: Rating | undefined
}

export interface Target {
  model?: string
  appId?: string
}

/** One conversation as it is being held: what was said, and the answer that is coming. */
export function useChat(onChatId: (id: string) => void) {
  const api = useApi()
  const queries = useQueryClient()
  const [turns, setTurns] = useState<Turn[]>([])
  const [streaming, setStreaming] = useState(false)
  const running = useRef<{ cancel: () => void; close: () => void }>(undefined)

  // Leaving the page leaves the answer.
  useEffect(() => () => running.current?.close(), [])

  const show = useCallback((next: Turn[]) => {
    running.current?.close()
    running.current = undefined
    setStreaming(false)
    setTurns(next)
  }, [])

  const send = useCallback(
    (message: string, target: Target, chatId: string | undefined) => {
      const key = crypto.randomUUID ? crypto.randomUUID() : String(performance.now())
      const question: Turn = { key: `${key}-q`, role: 'user', content: message, state: 'done' }
      const answer: Turn = { key, role: 'assistant', content: '', state: 'streaming' }
      setTurns((all) => [...all, question, answer])
      setStreaming(true)
      let current = true
      const change = (edit: (turn: Turn) => Turn) => {
        if (current) setTurns((all) => all.map((turn) => (turn.key === key ? edit(turn) : turn)))
      }
      const finish = (edit: (turn: Turn) => Turn) => {
        change(edit)
        if (!current) return
        running.current = undefined
        setStreaming(false)
        void queries.invalidateQueries({ queryKey: ['history'] })
      }
      const socket = new WebSocket(socketUrl(api.base) + '/api/v1/chat/stream' + queryString({ access_token: api.token }))
      const run = sendMessage(
        socket as ChatSocket,
        { message, ...target, ...(chatId && { chatId }) },
        {
          onStart: (id) => {
            if (current && id && id !== chatId) onChatId(id)
          },
          onToken: (content) => change((turn) => ({ ...turn, content: turn.content + content })),
          onEnd: ({ messageId, usage, cancelled }) =>
            finish((turn) => ({ ...turn, id: messageId, usage, state: cancelled ? 'cancelled' : 'done' })),
          onError: ({ message: error }) => finish((turn) => ({ ...turn, state: 'failed', error })),
        },
      )
      running.current = {
        cancel: run.cancel,
        close: () => {
          current = false
          socket.close()
        },
      }
    },
    [api, onChatId, queries],
  )

  const stop = useCallback(() => running.current?.cancel(), [])
  return { turns, streaming, send, stop, show }
}
