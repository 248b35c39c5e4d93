namespace Mamba.Managed.Cli;

/// <summary>Progress that is told on the thread that makes it, before it goes on: <see cref="Progress{T}"/> tells later, on another.</summary>
/// <param name="told">What hears it.</param>
internal sealed class Listener<T>(Action<T> told) : IProgress<T>
{
    public void Report(T value) => told(value);
}
