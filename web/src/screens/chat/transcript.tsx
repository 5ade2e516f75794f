import { useMutation } from '@tanstack/react-query'
import { MessageSquare, ThumbsDown, ThumbsUp } from 'lucide-react'
import { memo, useEffect, useRef } from 'react'
import { useApi } from '@/lib/api/context'
import type { Rating } from '@/lib/api/types'
import { integer } from '@/lib/format'
import { IconButton } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { EmptyState } from '@/ui/feedback'
import { Logo } from '@/ui/logo'
import { Markdown } from '@/ui/markdown'
import type { Turn } from './use-chat'

interface Props {
  turns: Turn[]
  streaming: boolean
  chatId: string | undefined
}

/** What was said. It follows the answer down, unless the reader has scrolled up. */
export function Transcript({ turns, streaming, chatId }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [turns])
  const scrolled = () => {
    const element = box.current
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60
  }
  return (
    <div ref={box} onScroll={scrolled} role="log" aria-label="Messages" aria-busy={streaming} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto -outline-offset-2">
      {turns.length === 0 ? (
        <div className="flex min-h-full items-center">
          <EmptyState icon={<MessageSquare />} title="Start a conversation">
            <p>Choose a model or an app and ask. The built-in models answer without a network; add a provider for more.</p>
          </EmptyState>
        </div>
      ) : (
        <div className="mx-auto max-w-3xl space-y-6 px-4 py-6 lg:px-8">
          {turns.map((turn, index) => (
            <TurnView key={turn.key} turn={turn} chatId={index === turns.length - 1 && streaming ? undefined : chatId} />
          ))}
        </div>
      )}
    </div>
  )
}

const TurnView = memo(function TurnView({ turn, chatId }: { turn: Turn; chatId: string | undefined }) {
  if (turn.role === 'user') {
    return (
      <div className="ml-auto w-fit max-w-[85%] rounded-2xl rounded-br-md bg-accent-soft px-4 py-2.5 break-words whitespace-pre-wrap">
        <span className="sr-only">You: </span>
        {turn.content}
      </div>
    )
  }
  return (
    <div className="flex gap-3">
      <Logo className="mt-0.5 size-6 shrink-0" />
      <div className="min-w-0 flex-1 space-y-2">
        <span className="sr-only">Answer: </span>
        {turn.content ? <Markdown text={turn.content} /> : turn.state === 'streaming' && <Thinking />}
        {turn.state === 'cancelled' && <p className="text-[13px] text-ink-3">Stopped.</p>}
        {turn.state === 'failed' && (
          <p role="alert" className="w-fit rounded-lg bg-bad-soft px-3 py-2 text-bad">
            {turn.error}
          </p>
        )}
        {turn.state !== 'streaming' && <TurnFooter turn={turn} chatId={chatId} />}
      </div>
    </div>
  )
})

function Thinking() {
  return (
    <span role="status" aria-label="Waiting for the answer" className="flex h-6 items-center gap-1">
      {[0, 1, 2].map((dot) => (
        <span key={dot} className="size-1.5 animate-[shimmer_1s_ease-in-out_infinite] rounded-full bg-ink-3" style={{ animationDelay: `${dot * 150}ms` }} />
      ))}
    </span>
  )
}

function TurnFooter({ turn, chatId }: { turn: Turn; chatId: string | undefined }) {
  const api = useApi()
  const rate = useMutation({
    mutationFn: (rating: Rating) =>
      api.post('/api/v1/chat/feedback', { chatId, rating, ...(turn.id && { messageId: turn.id }) }),
  })
  const rated = rate.isSuccess ? rate.variables : turn.rating
  return (
    <div className="-ml-2 flex flex-wrap items-center text-xs text-ink-3">
      {turn.content && <CopyButton text={turn.content} label="Copy answer" />}
      {chatId && (
        <>
          <IconButton label="Good answer" pressed={rated === 'positive'} disabled={rate.isPending} onClick={() => rate.mutate('positive')}>
            <ThumbsUp />
          </IconButton>
          <IconButton label="Bad answer" pressed={rated === 'negative'} disabled={rate.isPending} onClick={() => rate.mutate('negative')}>
            <ThumbsDown />
          </IconButton>
        </>
      )}
      <span role="status" className="tabular ml-2">
        {rate.isError ? `Not rated: ${rate.error.message}` : rate.isSuccess ? 'Thank you.' : usageText(turn)}
      </span>
    </div>
  )
}

function usageText({ usage }: Turn): string {
  if (!usage?.total) return ''
  const parts = usage.prompt !== undefined && usage.completion !== undefined ? ` (${integer(usage.prompt)} in, ${integer(usage.completion)} out)` : ''
  return `${integer(usage.total)} tokens${parts}`
}
