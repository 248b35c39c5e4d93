using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Mamba.Managed.Checkpoints;

namespace Mamba.Managed.Tests;

/// <summary>Damage as files meet it: bits turned, bytes replaced, parts cut, copied or moved.</summary>
internal static class Mutations
{
    // Where a length or a count is read, these find more than random numbers.
    private static readonly long[] Extremes = [-1, long.MaxValue, long.MinValue, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 40, 1 << 14, 255, 0];

    /// <summary>A damaged copy of a file that is not empty.</summary>
    public static byte[] Of(byte[] good, Random random)
    {
        List<byte> bytes = [.. good];
        for (int change = random.Next(3); change >= 0 && bytes.Count > 0; change--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 9), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[at] = good[random.Next(good.Length)];
                    break;
                case 3:
                    bytes.RemoveRange(at, random.Next(8) == 0 ? bytes.Count - at : length);
                    break;
                case 4:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
                case 5:
                    byte[] number = new byte[sizeof(long)];
                    BinaryPrimitives.WriteInt64LittleEndian(number, Extremes[random.Next(Extremes.Length)]);
                    number.AsSpan(0, Math.Min(random.Next(2) == 0 ? sizeof(int) : sizeof(long), bytes.Count - at)).CopyTo(CollectionsMarshal.AsSpan(bytes)[at..]);
                    break;
                default:
                    bytes[at] = (byte)('0' + random.Next(10));
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Opens a model, weights too, and closes it: the next file of that name is slow to write while thousands before it are mapped.</summary>
    public static void Open(string path)
    {
        using ModelSource source = ModelSource.Open(path);
        _ = source.Model;
    }
}
