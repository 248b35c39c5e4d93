using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>One thing that is fuzzed: a step that follows from its random numbers alone.</summary>
internal abstract class FuzzPart
{
    /// <summary>The parts, by name.</summary>
    public static IReadOnlyDictionary<string, Func<FuzzPart>> All { get; } = new Dictionary<string, Func<FuzzPart>>(Readers.All)
    {
        ["calls"] = () => new CallFuzz(),
        ["threads"] = () => new ThreadFuzz(),
        ["overrun"] = () => new Overrun(),
    };

    /// <summary>Does one thing; throws where the library is wrong.</summary>
    public abstract void Step(Random random);

    /// <summary>Looks back over all steps.</summary>
    /// <param name="steps">How many there were.</param>
    public virtual void End(long steps)
    {
    }

    /// <summary>Takes back what the part has laid down: files, threads, memory.</summary>
    public virtual void Close()
    {
    }

    /// <summary>What a public member may answer a wrong or disturbed call with; anything else is a fault of the library.</summary>
    public static bool IsAllowed(Exception error) => error
        is ArgumentException or InvalidOperationException or InvalidDataException or OperationCanceledException or NonFiniteException
        or NotSupportedException or FileNotFoundException or DirectoryNotFoundException;

    /// <summary>Makes a call that may be refused.</summary>
    /// <returns>Whether it went through.</returns>
    public static bool Try(Action call)
    {
        try
        {
            call();
            return true;
        }
        catch (Exception error) when (IsAllowed(error))
        {
            return false;
        }
    }

    /// <summary>Makes a call that gives something, or null where it is refused.</summary>
    public static T? Try<T>(Func<T?> call)
        where T : class
    {
        T? result = null;
        Try(() => { result = call(); });
        return result;
    }

    /// <summary>Says that a result is wrong.</summary>
    public static void Require(bool isRight, string expected)
    {
        if (!isRight)
        {
            throw new FuzzException("expected " + expected + ", found something else");
        }
    }

    /// <summary>Two runs of numbers are the same bits.</summary>
    public static void RequireSame(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, string what) =>
        Require(System.Runtime.InteropServices.MemoryMarshal.AsBytes(expected).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(found)), "the same " + what);
}

/// <summary>A wrong result.</summary>
internal sealed class FuzzException(string message) : Exception(message);
