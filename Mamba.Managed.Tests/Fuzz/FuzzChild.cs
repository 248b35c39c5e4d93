using System.Globalization;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>The process in which a part is fuzzed: it may die of what it finds.</summary>
internal static class FuzzChild
{
    /// <summary>Runs steps from <paramref name="from"/> on; the file says which one is running.</summary>
    /// <param name="limit"><c>12s</c>: for so many seconds; <c>1000</c>: so many steps.</param>
    /// <returns>0 where nothing is wrong, else 1; the last line written says what was done or what is wrong.</returns>
    public static int Run(string part, string limit, int seed, long from, string progress)
    {
        using FileStream file = new(progress, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
        FuzzPart fuzz = FuzzPart.All[part]();
        bool isTime = limit.EndsWith('s');
        long most = long.Parse(limit.TrimEnd('s'), CultureInfo.InvariantCulture), end = Environment.TickCount64 + (most * 1000), step = from;
        try
        {
            for (; isTime ? Environment.TickCount64 < end : step - from < most; step++)
            {
                RandomAccess.Write(file.SafeFileHandle, BitConverter.GetBytes(step), 0);
                fuzz.Step(RandomOf(seed, step));
            }

            fuzz.End(step - from);
            Console.WriteLine(Throw.Invariant($"{step - from} steps"));
            return 0;
        }
#pragma warning disable CA1031 // Whatever it is, it is what was looked for.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Console.WriteLine(error);
            return 1;
        }
        finally
        {
            fuzz.Close();
        }
    }

    private static Random RandomOf(int seed, long step) => new((int)SplitMix64.Mix(((ulong)(uint)seed << 40) ^ (ulong)step));
}
