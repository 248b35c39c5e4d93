using System.CommandLine;

namespace Mamba.Managed.Cli;

/// <summary>What a command gets beside its arguments: where it writes, and who can stop it.</summary>
/// <param name="interruption">Ctrl+C and SIGTERM of this process; null where another program runs the command.</param>
internal sealed class Invocation(Interruption? interruption) : InvocationConfiguration
{
    /// <summary>See <see cref="Interruption.Saving"/>.</summary>
    public static IDisposable? Saving(ParseResult parsed) => (parsed.InvocationConfiguration as Invocation)?.Saving();

    private IDisposable? Saving() => interruption?.Saving();
}
