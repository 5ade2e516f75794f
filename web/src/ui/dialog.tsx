import { clsx } from 'clsx'
import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { IconButton } from './button'

interface Props {
  open: boolean
  onClose: () => void
  title: ReactNode
  description?: ReactNode
  children: ReactNode
  footer?: ReactNode
  /** A dialog stands in the middle; a drawer comes from the side and may be long. */
  shape?: 'dialog' | 'drawer'
}

const shapes = {
  dialog:
    'top-1/2 left-1/2 w-[calc(100vw-2rem)] max-w-lg max-h-[calc(100dvh-2rem)] -translate-x-1/2 -translate-y-1/2 rounded-xl border animate-[appear_120ms_ease-out]',
  drawer: 'inset-y-0 right-0 w-full max-w-2xl sm:border-l animate-[slide-in_180ms_ease-out]',
}

/** A form begins at its first field; without one the close button has the focus, as it comes first. */
function focusFirstField(event: Event) {
  const field = (event.target as HTMLElement).querySelector<HTMLElement>('form :is(input, textarea):not(:disabled)')
  if (!field) return
  event.preventDefault()
  field.focus()
}

/** A modal surface: traps focus, closes with Escape, gives focus back. */
export function Dialog({ open, onClose, title, description, children, footer, shape = 'dialog' }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 animate-[appear_120ms_ease-out] bg-overlay" />
        <Radix.Content
          onOpenAutoFocus={focusFirstField}
          className={clsx('fixed z-50 flex flex-col border-line bg-surface shadow-pop focus:outline-none', shapes[shape])}
          {...(description ? {} : { 'aria-describedby': undefined })}
        >
          <header className="flex items-start gap-3 border-b border-line px-5 py-3.5">
            <div className="min-w-0 flex-1">
              <Radix.Title className="truncate text-base font-semibold">{title}</Radix.Title>
              {description && <Radix.Description className="text-ink-3">{description}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <IconButton label="Close" className="-mr-1.5">
                <X />
              </IconButton>
            </Radix.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4" tabIndex={shape === 'drawer' ? 0 : undefined}>
            {children}
          </div>
          {footer && <footer className="flex justify-end gap-2 border-t border-line px-5 py-3">{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
