import { clsx } from 'clsx'
import type { ButtonHTMLAttributes } from 'react'

type Look = 'primary' | 'secondary' | 'ghost' | 'danger'

const looks: Record<Look, string> = {
  primary: 'bg-accent text-accent-ink hover:brightness-110 border-transparent font-medium',
  secondary: 'bg-surface text-ink border-line-strong hover:bg-hover',
  ghost: 'bg-transparent text-ink-2 border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-bad-soft text-bad border-transparent hover:brightness-97 dark:hover:brightness-120 font-medium',
}

/** The classes of a button, for links that look like one. */
export function buttonClass(look: Look = 'secondary', small = false): string {
  return clsx(
    'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-[7px] border whitespace-nowrap transition-colors',
    'disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0',
    small ? 'h-8 px-2.5 text-[13px]' : 'h-9 px-3',
    looks[look],
  )
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; small?: boolean }

export function Button({ look = 'secondary', small = false, className, type = 'button', ...rest }: ButtonProps) {
  return <button type={type} className={clsx(buttonClass(look, small), className)} {...rest} />
}

type IconButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { label: string; pressed?: boolean }

/** A square button with an icon; its label is what it is called and what its tooltip says. */
export function IconButton({ label, pressed, className, type = 'button', ...rest }: IconButtonProps) {
  return (
    <button
      type={type}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      className={clsx(
        'inline-flex size-8 shrink-0 items-center justify-center rounded-[7px] transition-colors [&_svg]:size-4',
        'hover:bg-hover hover:text-ink disabled:pointer-events-none disabled:opacity-40',
        pressed ? 'bg-accent-soft text-accent' : 'text-ink-3',
        className,
      )}
      {...rest}
    />
  )
}
