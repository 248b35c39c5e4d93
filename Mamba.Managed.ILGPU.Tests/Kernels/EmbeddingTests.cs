using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>Vectors of tokens and columns of matrices lie where they belong.</summary>
public class EmbeddingTests
{
    private const int Pitch = 128;

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.All))]
    public void The_plain_form_looks_up_a_vector_for_each_column(TestDevice device) => Check(device.Session, Embedding.Plain);

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
    public void The_fast_form_looks_up_a_vector_for_each_column(TestDevice device) => Check(device.Session, Embedding.Fast);

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.All))]
    public void Columns_are_gathered(TestDevice device)
    {
        GpuSession session = device.Session;
        foreach (NumberType type in Enum.GetValues<NumberType>())
        {
            using DeviceData data = new(session);
            float[] numbers = DeviceData.Numbers(DeviceData.Random(1), 16 * Pitch, -1, 1, type);
            DeviceMatrix x = data.Matrix(numbers, 16, Pitch, type), y = data.Matrix(new float[16 * Pitch], 16, Pitch, type);
            int[] columns = [5, 127, 0, 5];
            using MemoryBuffer1D<int, global::ILGPU.Stride1D.Dense> chosen = session.Accelerator.Allocate1D(columns);
            ColumnSelection.Gather(session, x, chosen.View, columns.Length, y);
            float[] found = data.Read(y);
            Assert.That(
                Enumerable.Range(0, 16 * columns.Length).Select(i => found[(i / columns.Length * Pitch) + (i % columns.Length)]),
                Is.EqualTo(Enumerable.Range(0, 16 * columns.Length).Select(i => numbers[(i / columns.Length * Pitch) + columns[i % columns.Length]])));
        }
    }

    private static void Check(GpuSession session, Form form)
    {
        int[] tokens = [3, 0, -1, 9, 9, .. Enumerable.Range(0, 40).Select(i => i % 11), -1];
        foreach ((NumberType type, int features) in ((NumberType, int)[])[(NumberType.Float32, 16), (NumberType.BFloat16, 48)])
        {
            using DeviceData data = new(session);
            float[] table = DeviceData.Numbers(DeviceData.Random(features), 16 * Pitch, -1, 1, type);
            DeviceMatrix y = data.Matrix([.. Enumerable.Repeat(7f, features * Pitch)], features, Pitch, NumberType.Float32);
            using MemoryBuffer1D<int, global::ILGPU.Stride1D.Dense> columns = session.Accelerator.Allocate1D(tokens);
            form(session, data.Matrix(table, 16, Pitch, type), columns.View, tokens.Length, y);
            float[] found = data.Read(y);
            for (int row = 0; row < features; row++)
            {
                Assert.That(
                    found.AsSpan(row * Pitch, tokens.Length).ToArray(), Is.EqualTo(tokens.Select(token => token < 0 ? 0 : table[(token * Pitch) + row])), $"feature {row}");
            }
        }
    }

    private delegate void Form(GpuSession session, DeviceMatrix table, global::ILGPU.ArrayView<int> columns, int count, DeviceMatrix y);
}
