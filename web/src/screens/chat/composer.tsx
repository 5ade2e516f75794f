import { ArrowUp, Square } from 'lucide-react'
import type { KeyboardEvent, ReactNode } from 'react'
import { useEffect, useRef, useState } from 'react'

interface Props {
  streaming: boolean
  ready: boolean
  onSend: (message: string) => void
  onStop: () => void
  children: ReactNode
}

const tallest = 200

/** Where messages are written. Enter sends, Shift and Enter starts a line. */
export function Composer({ streaming, ready, onSend, onStop, children }: Props) {
  const [text, setText] = useState('')
  const area = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    const element = area.current
    if (!element) return
    element.style.height = 'auto'
    element.style.height = `${Math.min(element.scrollHeight, tallest)}px`
  }, [text])
  const send = () => {
    const message = text.trim()
    if (!message || streaming || !ready) return
    setText('')
    onSend(message)
  }
  const keyed = (event: KeyboardEvent) => {
    // A key that ends composing a character (Japanese, Chinese…) is not the end of the message.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
      className="panel p-2 focus-within:border-ink-3"
    >
      <textarea
        ref={area}
        rows={1}
        aria-label="Message"
        placeholder="Ask something"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={keyed}
        className="block w-full resize-none bg-transparent px-2 py-1.5 leading-6 placeholder:text-ink-3 focus-visible:outline-none"
      />
      <div className="flex items-center justify-between gap-2 pt-1">
        {children}
        {streaming ? (
          <button type="button" aria-label="Stop" onClick={onStop} className="flex size-8 shrink-0 items-center justify-center rounded-lg bg-ink text-bg">
            <Square className="size-3.5 fill-current" />
          </button>
        ) : (
          <button
            type="submit"
            aria-label="Send"
            disabled={!text.trim() || !ready}
            className="flex size-8 shrink-0 items-center justify-center rounded-lg bg-accent text-accent-ink transition-opacity disabled:opacity-40"
          >
            <ArrowUp className="size-4.5" />
          </button>
        )}
      </div>
    </form>
  )
}
