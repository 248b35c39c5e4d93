using System.Buffers.Binary;
using System.Collections.Immutable;

namespace Mamba.Managed.Models;

/// <summary>Reads saved states of version 1, which had one kind of layer and stored ssm_state transposed.</summary>
/// <remarks>
/// After the position:
/// <code>
/// | layers, channels, d_conv, d_state: i32 each | per layer: conv_state float32 [d_conv, channels], ssm_state float32 [d_state, channels] |
/// </code>
/// </remarks>
internal static class SavedStateVersion1
{
    public const uint Version = 1;

    /// <summary>Reads what follows the position, up to the checksum.</summary>
    /// <returns>The state in its canonical form.</returns>
    /// <exception cref="InvalidDataException">The file holds a state of other sizes, or is truncated.</exception>
    public static float[] Read(CheckedReader reader, StateLayout layout)
    {
        byte[] sizes = reader.Read(4 * sizeof(int));
        (int layers, int channels, int window, int states) = (Size(0), Size(1), Size(2), Size(3));
        ImmutableArray<StateArray> arrays = layout.Arrays;
        Throw.Unless(
            arrays.Length == 2L * layers && arrays.Select((array, i) => array == Expected(i)).All(same => same),
            $"expected a state of {layout}, found one of other sizes");
        float[] values = reader.ReadFloats(checked((int)layout.Length(0)));
        Span<float> rest = values;
        float[] rows = new float[states * channels];
        for (int i = 0; i < layers; i++)
        {
            Span<float> scan = rest.Slice(window * channels, rows.Length);
            scan.CopyTo(rows);
            for (int at = 0; at < rows.Length; at++)
            {
                scan[(at % channels * states) + (at / channels)] = rows[at];
            }

            rest = rest[((window + states) * channels)..];
        }

        return values;

        int Size(int index) => BinaryPrimitives.ReadInt32LittleEndian(sizes.AsSpan(index * sizeof(int)));

        StateArray Expected(int index) => index % 2 == 0
            ? new(Throw.Invariant($"layers.{index / 2}.conv_state"), [window, channels])
            : new(Throw.Invariant($"layers.{index / 2}.ssm_state"), [channels, states]);
    }
}
