using System.Runtime.InteropServices;

namespace Mamba.Managed.Cli;

/// <summary>Ctrl+C, SIGTERM and the end of the terminal. The first cancels the command; what has not ended shortly after is ended, unless it saves. A second ends it at once.</summary>
/// <remarks>
/// Much work looks at no token: reading standard input, encoding a text, mapping a model. Ending the process is safe there, since files are replaced
/// as a whole; temporary files are removed on the way out.
/// </remarks>
internal sealed class Interruption : IDisposable
{
    private const int Interrupted = 130;
    private const int Terminated = 143;
    private const int HungUp = 129;

    // A command ends within a second, with some time to spare for the process itself.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan CursorTime = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;
    private readonly Timer deadline;
    private int code;
    private int saving;

    public Interruption()
    {
        deadline = new Timer(_ => EndUnlessSaving());
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, Handle))];
    }

    /// <summary>Canceled by the first signal.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>The exit code of the process: that of the signal for a command that was canceled by it.</summary>
    public int ExitCodeOf(int result) => result == MambaCommand.Interrupted && code != 0 ? code : result;

    /// <summary>Until the result is disposed, the first signal waits for the command, which saves what it has.</summary>
    public IDisposable Saving()
    {
        Interlocked.Increment(ref saving);
        return new Saved(this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
        {
            registration.Dispose();
        }

        deadline.Dispose();
        source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        int found = context.Signal switch { PosixSignal.SIGINT => Interrupted, PosixSignal.SIGHUP => HungUp, _ => Terminated };
        if (Interlocked.CompareExchange(ref code, found, 0) != 0)
        {
            End(found);
        }

        deadline.Change(Grace, Timeout.InfiniteTimeSpan);
        source.Cancel();
    }

    private void EndUnlessSaving()
    {
        if (Volatile.Read(ref saving) == 0)
        {
            End(code);
        }
    }

    private static void End(int code)
    {
        // A progress bar hides the cursor. A terminal that is stopped takes nothing and must not hold up the end.
        if (!Console.IsErrorRedirected)
        {
            Task.Run(() => Console.Error.Write("\e[?25h")).Wait(CursorTime);
        }

        Environment.Exit(code);
    }

    private sealed class Saved(Interruption owner) : IDisposable
    {
        public void Dispose()
        {
            if (Interlocked.Decrement(ref owner.saving) == 0 && Volatile.Read(ref owner.code) != 0)
            {
                owner.deadline.Change(Grace, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
