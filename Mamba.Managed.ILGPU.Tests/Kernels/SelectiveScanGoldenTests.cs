using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The scan and its gradients against values that PyTorch computed in double precision.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class SelectiveScanGoldenTests(TestDevice device)
{
    private const double Tolerance = 1e-4;

    // silu of this is 1: a gate for scans without one.
    private const float Open = 1.27846454f;

    // Without the file in which delta is no softplus, which no model has.
    public static IEnumerable<string> Cases() => Enumerable.Range(1, 4).Select(i => $"case{i}.safetensors");

    [TestCaseSource(nameof(Cases))]
    public void Equals_float64(string name)
    {
        Golden golden = new(new GoldenFile(Path.Combine(GoldenFile.FolderOf("selective-scan"), name)));
        using DeviceData data = new(device.Session);
        ScanArguments arguments = golden.Arguments(data);
        ScanGradients gradients = golden.Gradients(data);
        SelectiveScan.Forward(device.Session, arguments);
        golden.CheckColumns("y", data.Read(arguments.Y));
        golden.CheckStates("last_state", data.Read(arguments.States.Pool));
        SelectiveScan.Backward(device.Session, arguments, gradients);
        golden.CheckColumns("grad.u", data.Read(gradients.U));
        golden.CheckColumns("grad.delta", data.Read(gradients.Delta));
        golden.CheckColumns("grad.z", data.Read(gradients.Z));
        golden.CheckColumns("grad.B", data.Read(gradients.B));
        golden.CheckColumns("grad.C", data.Read(gradients.C));
        golden.CheckStates("grad.h0", data.Read(gradients.States.Pool));
        golden.CheckParameters("grad.D", data.Read(gradients.D));
        golden.CheckParameters("grad.delta_bias", data.Read(gradients.DeltaBias));
        golden.CheckDecays(data.Read(gradients.ALog));
    }

    /// <summary>A file's tensors, [batch, length, features], in the layout of a pass and back.</summary>
    private sealed class Golden(GoldenFile file)
    {
        private readonly int batch = file.Shape("u")[0];
        private readonly int length = file.Shape("u")[1];
        private readonly int channels = file.Shape("A")[0];
        private readonly int states = file.Shape("A")[1];

        private int Channels => Padding.Up(channels, Padding.Rows);

        private int States => Padding.Up(states, Padding.States);

        private int Sequence => Padding.Up(length, Padding.Sequence);

        private int Pitch => Padding.Up(batch * Sequence, Padding.Columns);

        public ScanArguments Arguments(DeviceData data) => new()
        {
            U = Columns(data, "u", Channels),
            Delta = Columns(data, "delta", Channels),
            Z = Columns(data, "z", Channels, Open),
            B = Columns(data, "B", States),
            C = Columns(data, "C", States),
            Y = Columns(data, string.Empty, Channels),
            A2 = data.Vector(Decays()),
            DeltaBias = data.Vector(Parameters("delta_bias")),
            D = data.Vector(Parameters("D")),
            Segments = data.Segments([.. Enumerable.Range(0, batch).Select(i => new Segment(i * Sequence, length, i))]),
            States = new(data.Vector(StatesOf("h0")), Channels * States, 0),
            ChunkStates = data.Vector(new float[(long)ScanArguments.Chunks(Pitch, batch) * Channels * States]),
        };

        public ScanGradients Gradients(DeviceData data) => new()
        {
            Y = Columns(data, "grad_y", Channels),
            U = Columns(data, string.Empty, Channels),
            Delta = Columns(data, string.Empty, Channels),
            Z = Columns(data, string.Empty, Channels),
            B = Columns(data, string.Empty, States),
            C = Columns(data, string.Empty, States),
            ALog = data.Vector(new float[Channels * States]),
            DeltaBias = data.Vector(new float[Channels]),
            D = data.Vector(new float[Channels]),
            States = new(data.Vector(StatesOf("grad_last_state")), Channels * States, 0),
            Workspace = data.Vector(new float[SelectiveScan.BackwardWorkspace(Channels, States, Pitch, batch)]),
        };

        public void CheckColumns(string name, float[] found) => Check(name, (values, add) =>
        {
            int features = values.Length / batch / length;
            for (int i = 0; i < values.Length; i++)
            {
                int feature = i % features, t = i / features % length, sequence = i / features / length;
                add(values[i], found[(feature * Pitch) + (sequence * Sequence) + t]);
            }
        });

        public void CheckStates(string name, float[] found) => Check(name, (values, add) =>
        {
            for (int i = 0; i < values.Length; i++)
            {
                add(values[i], found[(((i / states / channels * Channels) + (i / states % channels)) * States) + (i % states)]);
            }
        });

        public void CheckParameters(string name, float[] found) => Check(name, (values, add) =>
        {
            for (int i = 0; i < values.Length; i++)
            {
                add(values[i], found[i]);
            }
        });

        // A is -exp(A_log), so the gradient of A_log is A times that of A.
        public void CheckDecays(float[] found) => Check("grad.A", (values, add) =>
        {
            float[] a = file.Floats("A");
            for (int i = 0; i < values.Length; i++)
            {
                add((double)values[i] * a[i], found[(i / states * States) + (i % states)]);
            }
        });

        private void Check(string name, Action<float[], Action<double, double>> compare)
        {
            if (file.Has(name))
            {
                Closeness closeness = new(Tolerance);
                compare(file.Floats(name), closeness.Add);
                closeness.Check(name);
            }
        }

        private DeviceMatrix Columns(DeviceData data, string name, int rows, float missing = 0)
        {
            float[] numbers = new float[rows * Pitch];
            Array.Fill(numbers, missing);
            if (file.Has(name))
            {
                float[] values = file.Floats(name);
                int features = values.Length / batch / length;
                for (int i = 0; i < values.Length; i++)
                {
                    int feature = i % features, t = i / features % length, sequence = i / features / length;
                    numbers[(feature * Pitch) + (sequence * Sequence) + t] = values[i];
                }
            }

            return data.Matrix(numbers, rows, Pitch, NumberType.Float32);
        }

        private float[] Decays()
        {
            float[] decays = new float[Channels * States];
            float[] a = file.Floats("A");
            for (int i = 0; i < a.Length; i++)
            {
                decays[(i / states * States) + (i % states)] = (float)(a[i] / Math.Log(2));
            }

            return decays;
        }

        private float[] Parameters(string name)
        {
            float[] parameters = new float[Channels];
            if (file.Has(name))
            {
                file.Floats(name).CopyTo(parameters, 0);
            }

            return parameters;
        }

        private float[] StatesOf(string name)
        {
            float[] padded = new float[batch * Channels * States];
            if (file.Has(name))
            {
                float[] values = file.Floats(name);
                for (int i = 0; i < values.Length; i++)
                {
                    padded[(((i / states / channels * Channels) + (i / states % channels)) * States) + (i % states)] = values[i];
                }
            }

            return padded;
        }
    }
}
