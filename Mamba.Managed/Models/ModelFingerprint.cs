using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>A 64-bit hash that tells models apart, so that a saved state is given to its own model only; cheap even for gigabytes of weights.</summary>
/// <remarks>
/// It covers the sizes and options that change the computation, and the name, element type, shape and first 4,096 bytes of every parameter.
/// It is no protection against forgery: models whose tensors differ only after those bytes share a fingerprint.
/// </remarks>
/// <param name="Value">The bits.</param>
public readonly record struct ModelFingerprint(ulong Value)
{
    private const int Sample = 4096;

    /// <summary>The fingerprint of a model.</summary>
    /// <param name="model">The same weights in another element type are another model.</param>
    public static ModelFingerprint Of(MambaLanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        MambaConfig config = model.Config;
        ulong hash = 0xCBF29CE484222325;
        hash = Add(hash, Throw.Invariant($"{config.DModel} {config.NLayer} {config.VocabSize} {config.DState} {config.DConv} {config.DInner} {config.DtRank}"));
        hash = Add(hash, Throw.Invariant($"{config.NormEpsilon:R} {config.MixerNormEpsilon:R}"));
        foreach ((string name, Tensor tensor) in model.Parameters())
        {
            hash = Add(hash, Throw.Invariant($"{name} {tensor}"));
            using TensorBuffer.Lease lease = tensor.Buffer.Acquire();
            ReadOnlySpan<byte> bytes = tensor.Buffer.Span<byte>(tensor.Offset, (int)Math.Min(tensor.ByteLength, Sample));
            hash = Add(hash, bytes);
        }

        return new(hash);
    }

    /// <summary>16 hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);

    private static ulong Add(ulong hash, string text) => Add(hash, Encoding.UTF8.GetBytes(text));

    // FNV-1a over words of 8 bytes, with a rotation after each so that high bits affect low ones. The length is hashed too, so that the
    // boundary between two inputs counts.
    private static ulong Add(ulong hash, ReadOnlySpan<byte> bytes)
    {
        hash = Step(hash, (ulong)bytes.Length);
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            hash = Step(hash, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        if (bytes.IsEmpty)
        {
            return hash;
        }

        Span<byte> last = stackalloc byte[sizeof(ulong)];
        last.Clear();
        bytes.CopyTo(last);
        return Step(hash, BinaryPrimitives.ReadUInt64LittleEndian(last));
    }

    private static ulong Step(ulong hash, ulong word) => BitOperations.RotateLeft((hash ^ word) * 0x00000100000001B3, 29);
}
