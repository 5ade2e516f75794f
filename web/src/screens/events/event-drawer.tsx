import { Filter } from 'lucide-react'
import type { StrataEvent } from '@/lib/api/types'
import { timestamp } from '@/lib/format'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { JsonView } from '@/ui/json'

interface Props {
  event: StrataEvent | undefined
  onClose: () => void
  onFilter: (type: string) => void
}

/** One event with its data. */
export function EventDrawer({ event, onClose, onFilter }: Props) {
  return (
    <Dialog
      shape="drawer"
      open={event !== undefined}
      onClose={onClose}
      title={event?.type}
      description={
        event && (
          <span className="tabular">
            {timestamp(event.time)} · position {event.sequence}
          </span>
        )
      }
      footer={
        event && (
          <Button onClick={() => onFilter(event.type)}>
            <Filter /> Only this type
          </Button>
        )
      }
    >
      {event && (
        <div className="space-y-4">
          <dl className="divide-y divide-line">
            {(['id', 'source', 'subject'] as const).map(
              (key) =>
                event[key] && (
                  <div key={key} className="flex min-h-10 items-center gap-3 py-1">
                    <dt className="w-20 shrink-0 text-ink-3 capitalize">{key === 'id' ? 'Id' : key}</dt>
                    <dd className="flex min-w-0 flex-1 items-center font-mono text-[13px] break-all">
                      {event[key]}
                      <CopyButton text={event[key]} label={`Copy ${key}`} className="size-7" />
                    </dd>
                  </div>
                ),
            )}
          </dl>
          <JsonView label="event data" value={event.data ?? null} />
        </div>
      )}
    </Dialog>
  )
}
